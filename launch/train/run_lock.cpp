#include "launch/train/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// "host c17, process 4711, job 12".
std::string describe_holder() {
  std::array<char, 256> host = {};
  ::gethostname(host.data(), host.size() - 1);
  std::string text = fmt::format("host {}, process {}", host.data(), ::getpid());
  for (const char* job : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"}) {
    if (const char* id = std::getenv(job)) return text + ", job " + id;
  }
  return text;
}

std::string read_holder(int file) {
  std::array<char, 512> text = {};
  const ssize_t length = ::pread(file, text.data(), text.size(), 0);
  if (length <= 0) return "an unknown process";
  return printable(std::string_view(text.data(), static_cast<std::size_t>(length)));
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& path) : RunLock(AT_FDCWD, path, path) {}

RunLock::RunLock(const Directory& directory, const std::string& name)
    : RunLock(directory.descriptor(), name, directory.path() / name) {}

RunLock::RunLock(int directory, const std::filesystem::path& name,
                 const std::filesystem::path& shown)
    : name_(name.filename()),
      file_(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666)) {
  check(file_.get() >= 0,
        errno == EACCES || errno == EPERM ? ExitCode::kPermission : ExitCode::kCannotCreate,
        "[{}] cannot create: {}", printable(shown.string()), system_message(errno));
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    check(errno != EWOULDBLOCK, ExitCode::kCannotCreate,
          "[{}] expected a run directory that nobody uses, got one in use by {}",
          printable(shown.parent_path().string()), read_holder(file_.get()));
    return;  // this file system has no locks
  }
  locked_ = true;
  const std::string holder = describe_holder();
  // For other trainers' messages only: nothing depends on it.
  if (::ftruncate(file_.get(), 0) != 0) return;
  if (::pwrite(file_.get(), holder.data(), holder.size(), 0) < 0) return;
}

}  // namespace lockstep
