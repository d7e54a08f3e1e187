#include <algorithm>
#include <system_error>

#include "io/files/atomic_file.hpp"
#include "launch/train/run_directory.hpp"
#include "src/core/printable.hpp"

// What changes a run directory: always the one that is held.
namespace lockstep {
namespace {

namespace fs = std::filesystem;

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  // A link to a directory, or a directory that somebody else made at the same time, is fine.
  std::error_code not_seen;
  if (fs::is_directory(path, not_seen)) return;
  if (!error) error = not_seen ? not_seen : std::make_error_code(std::errc::not_a_directory);
  fail(error == std::errc::permission_denied ? ExitCode::kPermission : ExitCode::kCannotCreate,
       "[{}] cannot make this directory: {}", printable(path.string()), error.message());
}

}  // namespace

void RunDirectory::create() {
  make_directory(path_);
  held_ = std::make_shared<const Directory>(path_);
  held_->make_subdirectory(checkpoints().filename());
}

void RunDirectory::take_lock() {
  lock_ = std::make_shared<const RunLock>(*held_, lock().filename().string());
  if (lock_->keeps_others_out()) remove_stale_temporaries();
}

void RunDirectory::remove_stale_temporaries() const {
  const auto remove = [](const Directory& directory, const auto& is_ours) {
    for (const std::string& name : directory.file_names()) {
      const auto target = target_of_temporary(name);
      if (target && is_ours(*target)) directory.remove(name);
    }
  };
  const std::vector<fs::path> known = files();
  remove(*held_, [&](const std::string& target) {
    return std::ranges::find(known, path_ / target) != known.end();
  });
  remove(held_->subdirectory(checkpoints().filename()),
         [](const std::string& target) { return step_of_checkpoint(target).has_value(); });
}

void RunDirectory::check_place() const {
  if (held_->is_at_path() || held_->is_removed()) return;
  std::error_code ignored;
  fail(ExitCode::kCannotCreate,
       "[{}] expected the run directory at this path, got {}: it has been moved away; results go "
       "on into it, wherever it is now",
       printable(path_.string()), fs::exists(path_, ignored) ? "something else" : "nothing");
}

/// The directory to write to, as long as it is this run's.
const Directory& RunDirectory::ours() const {
  check(held_ != nullptr && !held_->is_removed(), ExitCode::kCannotCreate,
        "[{}] expected the run directory, got nothing: it has been removed; no more results are "
        "written",
        printable(path_.string()));
  if (!lock_ || lock_->is_in(*held_)) return *held_;
  fail(ExitCode::kCannotCreate,
       "[{}] expected the run.lock of this job, got {}: another job may be at work there, so no "
       "more results are written",
       printable(path_.string()), held_->has(lock().filename()) ? "another one" : "none");
}

void RunDirectory::write(const fs::path& file, std::span<const std::byte> bytes) const {
  ours().write_atomically(file.filename().string(), bytes);
}

void RunDirectory::write(const fs::path& file, std::string_view text) const {
  write(file, std::as_bytes(std::span(text.data(), text.size())));
}

void RunDirectory::write_checkpoint(std::int64_t step, std::span<const std::byte> bytes) const {
  ours()
      .subdirectory(checkpoints().filename())
      .write_atomically(checkpoint(step).filename(), bytes);
}

void RunDirectory::remove_results() const {
  // config.cfg last: without it nobody could tell what an interrupted removal has left.
  const Directory directory = ours().subdirectory(checkpoints().filename());
  for (const CheckpointFile& file : checkpoint_files())
    directory.remove(file.path.filename().string());
  for (const fs::path& file : files()) held_->remove(file.filename().string());
}

void RunDirectory::check_checkpoints() const {
  ours().subdirectory(checkpoints().filename());
}

std::string RunDirectory::remove_old_checkpoints(std::int64_t newest, std::int64_t keep) const {
  const Directory directory = ours().subdirectory(checkpoints().filename());
  std::int64_t kept = 0;
  std::string problem;
  for (const CheckpointFile& file : checkpoint_files()) {
    if (file.step > newest || ++kept <= keep) continue;
    try {
      directory.remove(file.path.filename().string());
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  return problem;
}

void RunDirectory::write_status(const std::string& status) const {
  write(this->status(), status + "\n");
}

}  // namespace lockstep
