#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/train/train_options.hpp"
#include "src/core/error.hpp"

namespace lockstep {

/// A checkpoint by its name, `ckpt-<step>.h5`.
struct CheckpointFile {
  std::filesystem::path path;
  std::int64_t step = 0;
};

/// How a run begins.
enum class Beginning { kFresh, kResume };

/// The files of one run. Rank 0 only. Throws Error: 73, 74, 77.
///
///   model.json  config.cfg  history.csv  checkpoints/ckpt-<step>.h5  best.h5  final.h5  run.status
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path model_json() const { return path_ / "model.json"; }
  std::filesystem::path config() const { return path_ / "config.cfg"; }
  std::filesystem::path history() const { return path_ / "history.csv"; }
  std::filesystem::path final_model() const { return path_ / "final.h5"; }
  std::filesystem::path best_model() const { return path_ / "best.h5"; }
  std::filesystem::path status() const { return path_ / "run.status"; }
  std::filesystem::path lock() const { return path_ / "run.lock"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path checkpoint(std::int64_t step) const;

  /// Whether any of our files is here, by name.
  bool holds_results() const;
  /// Newest first. Other files, temporary ones among them, are not ours to see.
  std::vector<CheckpointFile> checkpoint_files() const;

  /// What to do here, by the results that are there, the options and the network (as JSON text).
  /// Throws Error: 73 results that must not be replaced or belong to another run or to nobody we
  /// know, 64 the same with
  /// --resume required, 66 --resume required without a checkpoint, 65 a damaged config.cfg.
  Beginning decide(const TrainSettings& settings, const std::string& model_json) const;

  void create() const;
  /// config.cfg and model.json.
  void write_description(const TrainSettings& settings, const std::string& model_json) const;
  /// Removes our own files; those of others stay.
  void remove_results() const;
  /// That checkpoints go where they seem to go: a directory, and no link to one. Throws Error (73).
  void check_checkpoints() const;
  /// Removes checkpoints of steps before `newest`, which has just been written, until `keep` are
  /// left. Later ones belong to nobody we know; they stay.
  void remove_old_checkpoints(std::int64_t newest, std::int64_t keep) const;

  /// "RUNNING", "DONE", "STOPPED" or "FAILED code reason".
  void write_status(const std::string& status) const;

 private:
  std::vector<std::filesystem::path> files() const;  ///< all but the checkpoints, config.cfg last
  void refuse_foreign_files() const;
  /// The settings of the run that is here.
  TrainSettings refuse_other_run(const TrainSettings& settings,
                                 const std::string& model_json) const;

  std::filesystem::path path_;
};

}  // namespace lockstep
