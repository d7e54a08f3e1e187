#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/demo/demo_program.hpp"
#include "launch/demo/demo_report.hpp"
#include "launch/machine/mpi_starter.hpp"
#include "launch/train/run_directory.hpp"

namespace lockstep {

/// What the demo trains.
struct DemoTask {
  int rows = 8000;
  int test_rows = 2000;
  int epochs = 2;
  int long_epochs = 12;  ///< of the run in which a rank is killed
  int epochs_before_kill = 4;
  int batch_size = 64;
};

/// The programs that the demo starts, one at a time, with their files in one directory. If one
/// fails or takes too long, an Error or the proof's detail holds its command line and its last
/// words.
class DemoRuns {
 public:
  /// `meanwhile` is called again and again while a program runs, and may throw.
  DemoRuns(MpiStarter starter, std::filesystem::path directory, Meanwhile meanwhile);

  void make_data() const;
  DemoRow train(const std::string& numerics, int ranks) const;
  /// Never stops on `whole` ranks; on `killed` ranks one of them is killed in the middle, and the
  /// run goes on, on `resumed` ranks.
  Proof kill_and_resume(int whole, int killed, int resumed) const;
  /// What the network of this row, which must not have failed, says about x_test.
  std::filesystem::path predict(const DemoRow& row) const;

  std::filesystem::path data() const { return directory_ / "glyphs.h5"; }
  std::filesystem::path model(const DemoRow& row) const;
  const DemoTask& task() const { return task_; }

 private:
  Proof try_kill_and_resume(Proof proof, int whole, int killed, int resumed) const;
  std::filesystem::path run_directory(const std::string& name) const { return directory_ / name; }
  std::vector<std::string> train_words(const std::string& name, int epochs) const;
  std::string run(const ChildCommand& command) const;  ///< returns what it printed
  std::string train_long(int ranks, const std::string& name,
                         const std::vector<std::string>& more) const;
  /// As far as its newest checkpoint goes.
  std::int64_t epochs_done(const RunDirectory& results) const;
  /// Returns the rank that was killed; none: the training was over before.
  std::optional<int> train_and_kill(int ranks, const std::string& name) const;

  MpiStarter starter_;
  std::filesystem::path directory_;
  Meanwhile meanwhile_;
  std::string self_;
  DemoTask task_;
};

}  // namespace lockstep
