#include "io/files/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/files/directory.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxNameAttempts = 1000;

[[noreturn]] void fail_to(const char* action, const fs::path& path, int error, ExitCode code) {
  fail(code, "[{}] cannot {}: {}", printable(path.string()), action, system_message(error));
}

ExitCode code_of_failed_create(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return ExitCode::kPermission;
    case ENOSPC:
    case EDQUOT:
    case EIO:
      return ExitCode::kInputOutput;
    default:
      return ExitCode::kCannotCreate;
  }
}

/// A new file beside its target, under a name that nobody has; removed unless published.
class TemporaryFile {
 public:
  /// `directory`: an open descriptor; `shown`: the target in messages.
  TemporaryFile(int directory, const std::string& target, const fs::path& shown)
      : directory_(directory), target_(target), shown_(shown) {
    for (int attempt = 0; attempt < kMaxNameAttempts; ++attempt) {
      name_ = fmt::format(".{}.{}-{}.tmp", target, ::getpid(), attempt);
      file_ = FileDescriptor(::openat(directory, name_.c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
      if (file_.get() >= 0) return;
      if (errno != EEXIST && errno != EINTR) break;
    }
    fail_to("create", shown, errno, code_of_failed_create(errno));
  }
  ~TemporaryFile() {
    if (!published_) ::unlinkat(directory_, name_.c_str(), 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void sync_and_close();
  void publish();

 private:
  bool is_at_target() const;

  int directory_;
  std::string target_;
  fs::path shown_;
  std::string name_;
  FileDescriptor file_;
  struct stat status_ {};
  bool published_ = false;
};

void TemporaryFile::write(std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = ::pwrite64(file_.get(), bytes.data() + done, bytes.size() - done,
                                       static_cast<off64_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to("write", shown_, errno, ExitCode::kInputOutput);
    if (written == 0) fail_to("write", shown_, ENOSPC, ExitCode::kInputOutput);
    done += static_cast<std::size_t>(written);
  }
}

void TemporaryFile::sync_and_close() {
  int result;
  do {
    result = ::fsync(file_.get());
  } while (result != 0 && errno == EINTR);
  if (result != 0) fail_to("bring to the disk", shown_, errno, ExitCode::kInputOutput);
  if (::fstat(file_.get(), &status_) != 0) {
    fail_to("examine", shown_, errno, ExitCode::kInputOutput);
  }
  // On Linux the descriptor is gone after EINTR, and fsync has succeeded: nothing is lost.
  if (::close(file_.release()) != 0 && errno != EINTR) {
    fail_to("close", shown_, errno, ExitCode::kInputOutput);
  }
}

/// NFS may repeat a rename whose answer was lost and then report ENOENT: the work is done.
bool TemporaryFile::is_at_target() const {
  struct stat found {};
  return ::fstatat(directory_, target_.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         found.st_dev == status_.st_dev && found.st_ino == status_.st_ino;
}

void TemporaryFile::publish() {
  if (::renameat(directory_, name_.c_str(), directory_, target_.c_str()) != 0) {
    const int error = errno;
    if (error != ENOENT || !is_at_target()) {
      fail_to("put the new file in place", shown_, error, code_of_failed_create(error));
    }
  }
  published_ = true;
}

/// Makes the rename itself last. Filesystems that cannot sync a directory say EINVAL.
void sync_directory(int descriptor, const fs::path& shown) {
  const FileDescriptor directory(::openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) {
    if (errno == EACCES) return;  // a directory that may be written but not read
    fail_to("open to sync it", shown, errno, ExitCode::kInputOutput);
  }
  int result;
  do {
    result = ::fsync(directory.get());
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EINVAL && errno != ENOTSUP) {
    fail_to("bring to the disk", shown, errno, ExitCode::kInputOutput);
  }
}

void write_into(int directory, const std::string& name, const fs::path& shown,
                std::span<const std::byte> bytes) {
  TemporaryFile file(directory, name, shown);
  file.write(bytes);
  file.sync_and_close();
  file.publish();
  sync_directory(directory, shown.parent_path());
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  check(path.has_filename(), ExitCode::kCannotCreate, "[{}] expected the name of a file",
        printable(path.string()));
  const fs::path parent = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  const FileDescriptor directory(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) fail_to("create", path, errno, code_of_failed_create(errno));
  write_into(directory.get(), path.filename().string(), path, bytes);
}

void write_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

void write_atomically(const Directory& directory, const std::string& name,
                      std::span<const std::byte> bytes) {
  write_into(directory.descriptor(), name, directory.path() / name, bytes);
}

std::optional<std::string> target_of_temporary(std::string_view name) {
  constexpr std::string_view kEnd = ".tmp";
  if (!name.starts_with('.') || !name.ends_with(kEnd)) return std::nullopt;
  name = name.substr(1, name.size() - 1 - kEnd.size());  // TARGET.PROCESS-NUMBER
  const std::size_t dot = name.rfind('.');
  const std::size_t dash = name.rfind('-');
  if (dot == std::string_view::npos || dot == 0 || dash == std::string_view::npos || dash < dot)
    return std::nullopt;
  const bool ours =
      is_number(name.substr(dot + 1, dash - dot - 1)) && is_number(name.substr(dash + 1));
  return ours ? std::optional(std::string(name.substr(0, dot))) : std::nullopt;
}

std::string read_file(const fs::path& path) {
  const FileDescriptor file = open_input(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_to("examine", path, errno, ExitCode::kInputOutput);
  std::string bytes(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)), '\0');
  std::size_t done = 0;
  for (;;) {  // until the end: the file may have grown, and /proc reports a size of 0
    if (done == bytes.size()) bytes.resize(bytes.size() + 4096);
    const ssize_t count = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to("read", path, errno, ExitCode::kInputOutput);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace lockstep
