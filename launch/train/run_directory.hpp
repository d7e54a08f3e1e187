#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/keras/keras_file.hpp"
#include "launch/train/run_lock.hpp"
#include "launch/train/train_settings.hpp"
#include "src/core/error.hpp"

namespace lockstep {

/// A checkpoint by its name, `ckpt-<step>.h5`.
struct CheckpointFile {
  std::filesystem::path path;
  std::int64_t step = 0;
};

/// The step in "ckpt-1500.h5"; none for a name that we do not give, like "ckpt-01500.h5".
std::optional<std::int64_t> step_of_checkpoint(const std::string& file_name);

/// How a run begins.
enum class Beginning { kFresh, kResume };

/// The files of one run. Rank 0 only. Throws Error: 73, 74, 77.
///
/// From create() on, files are written and removed in the directory that was there then, whatever
/// becomes of its path; from take_lock() on, only while its lock is ours.
///
///   model.json  config.cfg  history.csv  checkpoints/ckpt-<step>.h5  best.h5  final.h5  run.status
///
/// best and final may be .keras instead: `format`. Those of the other ending count as results, too.
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path, ModelFormat format = ModelFormat::kHdf5)
      : path_(std::move(path)), format_(format) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path model_json() const { return path_ / "model.json"; }
  std::filesystem::path config() const { return path_ / "config.cfg"; }
  std::filesystem::path history() const { return path_ / "history.csv"; }
  std::filesystem::path final_model() const { return model("final", format_); }
  std::filesystem::path best_model() const { return model("best", format_); }
  ModelFormat format() const { return format_; }
  std::filesystem::path status() const { return path_ / "run.status"; }
  std::filesystem::path lock() const { return path_ / "run.lock"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path checkpoint(std::int64_t step) const;

  /// Whether any of our files is here, by name.
  bool holds_results() const;
  /// All names that a run may give its files, but for checkpoints; config.cfg is the last.
  std::vector<std::filesystem::path> files() const;
  /// Newest first. Other files, temporary ones among them, are not ours to see.
  std::vector<CheckpointFile> checkpoint_files() const;

  /// What to do here, by the results that are there, the options and the network (as JSON text).
  /// Throws Error: 73 results that must not be replaced or belong to another run or to nobody we
  /// know, 64 the same with --resume required, 66 --resume required without a checkpoint, 65 a
  /// damaged config.cfg, or a file of data or network that was replaced under the same name.
  Beginning decide(const TrainSettings& settings, const std::string& model_json) const;

  /// Makes the directory and holds it.
  void create();
  /// Keeps other trainers out until the last copy of this object is gone. Throws as RunLock. Then
  /// removes the temporary files of trainers that were killed while they wrote.
  void take_lock();
  /// That the directory has not been moved away; otherwise Error (73), although what is written
  /// still goes into it.
  void check_place() const;

  /// Puts a file in place, whole or not at all. Error (73), too, if the directory has been removed
  /// or is locked by somebody else by now.
  void write(const std::filesystem::path& file, std::span<const std::byte> bytes) const;
  void write(const std::filesystem::path& file, std::string_view text) const;
  /// Of a checkpoint, which goes through no link.
  void write_checkpoint(std::int64_t step, std::span<const std::byte> bytes) const;
  /// config.cfg and model.json.
  void write_description(const TrainSettings& settings, const std::string& model_json) const;
  /// Removes our own files; those of others stay.
  void remove_results() const;
  /// That checkpoints go where they seem to go: a directory, and no link to one. Throws Error (73).
  void check_checkpoints() const;
  /// Removes checkpoints of steps before `newest`, which has just been written, until `keep` are
  /// left. Later ones belong to nobody we know; they stay. Returns why one could not be removed.
  std::string remove_old_checkpoints(std::int64_t newest, std::int64_t keep) const;

  /// "RUNNING", "DONE", "STOPPED" or "FAILED code reason".
  void write_status(const std::string& status) const;

 private:
  std::filesystem::path model(const char* name, ModelFormat format) const {
    return path_ / fmt::format("{}{}", name, format == ModelFormat::kKeras ? ".keras" : ".h5");
  }
  const Directory& ours() const;
  void remove_stale_temporaries() const;
  void refuse_foreign_files() const;
  /// The settings of the run that is here.
  TrainSettings refuse_other_run(const TrainSettings& settings,
                                 const std::string& model_json) const;

  [[noreturn]] void refuse_other_network(const std::string& there, const std::string& here,
                                         const TrainSettings& settings, ExitCode code) const;

  std::filesystem::path path_;
  ModelFormat format_;
  std::shared_ptr<const Directory> held_;
  std::shared_ptr<const RunLock> lock_;
};

}  // namespace lockstep
