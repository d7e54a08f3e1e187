#include "launch/train/run_directory.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "io/files/atomic_file.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// Tells our config.cfg from one that a user wrote.
constexpr std::string_view kConfigHeader =
    "# The options of this run, written by lockstep train.\n\n";
constexpr std::string_view kPrefix = "ckpt-";
constexpr std::string_view kSuffix = ".h5";

/// The step in "ckpt-1500.h5"; none for a name that we do not give.
std::optional<std::int64_t> step_in(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const char* first = name.data() + kPrefix.size();
  const char* last = name.data() + name.size() - kSuffix.size();
  std::int64_t step = 0;
  if (first >= last || *first == '-') return std::nullopt;
  const auto [stop, error] = std::from_chars(first, last, step);
  if (error != std::errc() || stop != last) return std::nullopt;
  return step;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

[[noreturn]] void fail_to(const char* action, const fs::path& path, const std::error_code& error) {
  const ExitCode code =
      error == std::errc::permission_denied ? ExitCode::kPermission : ExitCode::kCannotCreate;
  fail(code, "[{}] cannot {}: {}", printable(path.string()), action, error.message());
}

std::int64_t epochs_in(const fs::path& history) {
  return static_cast<std::int64_t>(history_from_csv(read_file(history)).size());
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  // A link to a directory, or a directory that somebody else made at the same time, is fine.
  if (!fs::is_directory(path)) {
    fail_to("make this directory", path,
            error ? error : std::make_error_code(std::errc::not_a_directory));
  }
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail_to("remove this file", path, error);
}

}  // namespace

fs::path RunDirectory::checkpoint(std::int64_t step) const {
  return checkpoints() / fmt::format("{}{}{}", kPrefix, step, kSuffix);
}

std::vector<fs::path> RunDirectory::files() const {
  return {best_model(), final_model(), history(), model_json(), status(), config()};
}

bool RunDirectory::holds_results() const {
  return std::ranges::any_of(files(), is_there) || !checkpoint_files().empty();
}

std::vector<CheckpointFile> RunDirectory::checkpoint_files() const {
  std::vector<CheckpointFile> files;
  std::error_code error;
  fs::directory_iterator entries(checkpoints(), error);
  if (error && is_there(checkpoints())) fail_to("list this directory", checkpoints(), error);
  for (const auto& entry : entries) {
    const auto step = step_in(entry.path().filename().string());
    if (step && !entry.is_directory(error)) files.push_back({entry.path(), *step});
  }
  std::ranges::sort(files, std::greater(), &CheckpointFile::step);
  return files;
}

Beginning RunDirectory::decide(const TrainSettings& settings, const std::string& model_json) const {
  const std::string name = printable(path_.string());
  const bool empty = !holds_results();
  if (!empty) refuse_foreign_files();
  if (empty || settings.overwrite) {
    check(settings.resume != Resume::kRequired, ExitCode::kMissingInput,
          "[{}] expected a checkpoint to go on from (--resume required), got none", name);
    return Beginning::kFresh;
  }
  check(settings.resume != Resume::kNever, ExitCode::kCannotCreate,
        "[{}] expected no results (--resume never), got those of an earlier run; choose another "
        "--run-dir, or --overwrite",
        name);
  const TrainSettings there = refuse_other_run(settings, model_json);
  if (!checkpoint_files().empty()) return Beginning::kResume;

  check(settings.resume != Resume::kRequired, ExitCode::kMissingInput,
        "[{}] expected a checkpoint to go on from (--resume required), got none", name);
  // A checkpoint is written before the epoch enters history.csv.
  const bool lost = is_there(final_model()) ||
                    (is_there(history()) && epochs_in(history()) >= there.checkpoint_every);
  check(!lost, ExitCode::kCannotCreate,
        "[{}] holds results without a checkpoint to go on from; choose another --run-dir, or "
        "--overwrite",
        name);
  return Beginning::kFresh;  // that run had not come to its first checkpoint
}

/// A user's own model.json or config.cfg must not be replaced, whatever the options.
void RunDirectory::refuse_foreign_files() const {
  check(is_there(config()) && read_file(config()).starts_with(kConfigHeader),
        ExitCode::kCannotCreate,
        "[{}] expected an empty directory or that of a run, got files of such names without the "
        "config.cfg that a run writes; choose another --run-dir",
        printable(path_.string()));
}

TrainSettings RunDirectory::refuse_other_run(const TrainSettings& settings,
                                             const std::string& model_json) const {
  const std::string name = printable(path_.string());
  const ExitCode code =
      settings.resume == Resume::kRequired ? ExitCode::kUsage : ExitCode::kCannotCreate;
  TrainSettings there;
  try {
    there = train_settings_from_config(read_file(config()), config().string());
  } catch (const Error& error) {
    const bool wrong = error.code() == ExitCode::kUsage;
    throw Error(wrong ? ExitCode::kBadData : error.code(), error.what());
  }
  std::vector<std::string> differences = differing_options(there, settings);
  if (differences.empty() && is_there(this->model_json()) &&
      read_file(this->model_json()) != model_json) {
    differences.emplace_back("another network in model.json than here");
  }
  check(differences.empty(), code,
        "[{}] holds another run: {}; choose another --run-dir, or --overwrite", name,
        fmt::join(differences, "; "));
  return there;
}

void RunDirectory::create() const {
  make_directory(path_);
  make_directory(checkpoints());
  check_checkpoints();
}

void RunDirectory::write_description(const TrainSettings& settings,
                                     const std::string& model_json) const {
  write_atomically(config(), std::string(kConfigHeader) + to_config(settings));
  write_atomically(this->model_json(), model_json);
}

void RunDirectory::remove_results() const {
  // config.cfg last: without it nobody could tell what an interrupted removal has left.
  for (const CheckpointFile& file : checkpoint_files()) remove_file(file.path);
  for (const fs::path& file : files()) remove_file(file);
}

void RunDirectory::check_checkpoints() const {
  std::error_code error;
  const fs::file_status found = fs::symlink_status(checkpoints(), error);
  check(found.type() == fs::file_type::directory, ExitCode::kCannotCreate,
        "[{}] expected a directory for checkpoints, got {}", printable(checkpoints().string()),
        found.type() == fs::file_type::not_found ? "nothing"
        : found.type() == fs::file_type::symlink ? "a symbolic link"
                                                 : "something else");
}

void RunDirectory::remove_old_checkpoints(std::int64_t newest, std::int64_t keep) const {
  std::int64_t kept = 0;
  for (const CheckpointFile& file : checkpoint_files()) {
    if (file.step <= newest && ++kept > keep) remove_file(file.path);
  }
}

void RunDirectory::write_status(const std::string& status) const {
  write_atomically(this->status(), status + "\n");
}

}  // namespace lockstep
