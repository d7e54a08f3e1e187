#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "launch/demo_report.hpp"
#include "launch/mpi_starter.hpp"
#include "launch/run_directory.hpp"

namespace lockstep {

/// What the demo trains.
struct DemoTask {
  int rows = 20000;
  int test_rows = 2000;
  int epochs = 2;
  int long_epochs = 10;  ///< of the run in which a rank is killed
  int epochs_before_kill = 3;
  int batch_size = 64;
};

/// The programs that the demo starts, one at a time, with their files in one directory. If one
/// fails or takes too long, an Error or the proof's detail holds its command line and its last
/// words.
class DemoRuns {
 public:
  /// `meanwhile` is called again and again while a program runs, and may throw.
  DemoRuns(MpiStarter starter, std::filesystem::path directory, std::function<void()> meanwhile);

  void make_data() const;
  DemoRow train(const std::string& numerics, int ranks) const;
  /// Never stops on `whole` ranks; on `killed` ranks one of them is killed in the middle, and the
  /// run goes on, on `resumed` ranks.
  Proof kill_and_resume(int whole, int killed, int resumed) const;
  /// Opens what train() wrote for this row with Keras, if the Python in PATH has it.
  Proof open_with_keras(const DemoRow& row) const;

  const DemoTask& task() const { return task_; }

 private:
  struct KilledRun {
    int rank = -1;  ///< -1: none was killed
    int exit_code = 0;
  };

  Proof try_kill_and_resume(Proof proof, int whole, int killed, int resumed) const;
  Proof try_keras(Proof proof, const std::filesystem::path& model) const;
  std::filesystem::path run_directory(const std::string& name) const { return directory_ / name; }
  std::vector<std::string> train_words(const std::string& name, int epochs) const;
  std::string run(const ChildCommand& command) const;  ///< returns what it printed
  std::string train_long(int ranks, const std::string& name,
                         const std::vector<std::string>& more) const;
  /// As far as its newest checkpoint goes.
  std::int64_t epochs_done(const RunDirectory& results) const;
  KilledRun train_and_kill(int ranks, const std::string& name) const;

  MpiStarter starter_;
  std::filesystem::path directory_;
  std::function<void()> meanwhile_;
  std::string self_;
  DemoTask task_;
};

}  // namespace lockstep
