#include "io/tensorboard/event_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "io/files/atomic_file.hpp"
#include "io/files/posix_file.hpp"
#include "io/tensorboard/event_record.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

[[noreturn]] void fail_at(const std::filesystem::path& path, const char* what, int error) {
  const bool closed = error == EACCES || error == EPERM || error == EROFS;
  const bool absent = error == ENOENT || error == ENOTDIR || error == EISDIR || error == ELOOP;
  fail(closed   ? ExitCode::kPermission
       : absent ? ExitCode::kCannotCreate
                : ExitCode::kInputOutput,
       "[{}] cannot be {}: {}", printable(path.string()), what, system_message(error));
}

}  // namespace

EventFile::EventFile(std::filesystem::path directory)
    : path_(std::move(directory) / "events.out.tfevents.0.lockstep.v2") {}

std::string EventFile::bytes() const {
  struct stat status;
  if (::lstat(path_.c_str(), &status) != 0) {
    if (errno == ENOENT) return "";
    fail_at(path_, "read", errno);
  }
  check(S_ISREG(status.st_mode), ExitCode::kCannotCreate,
        "[{}] expected a file, got something else", printable(path_.string()));
  return read_file(path_);
}

bool EventFile::has_from(std::int64_t step) const {
  return records_before(bytes(), step).later;
}

std::int64_t EventFile::take_back(std::int64_t step) const {
  const std::string all = bytes();
  const EventRecords kept = records_before(all, step);
  if (kept.bytes < all.size() && ::truncate(path_.c_str(), static_cast<off_t>(kept.bytes)) != 0)
    fail_at(path_, "cut off", errno);
  return kept.last_step;
}

void EventFile::add(const std::string& records) const {
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  if (error) fail_at(path_.parent_path(), "made", error.value());
  const FileDescriptor file(
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) fail_at(path_, "opened", errno);
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail_at(path_, "written", errno);
  std::string text = records;
  if (status.st_size == 0) {
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    text = version_record(now.count()) + records;
  }
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(file.get(), text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int why = errno;
      // Half a record would hide all that follow it.
      if (::ftruncate(file.get(), status.st_size) != 0) fail_at(path_, "cut off", errno);
      fail_at(path_, "written", why);
    }
    at += static_cast<std::size_t>(count);
  }
}

}  // namespace lockstep
