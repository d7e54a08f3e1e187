#include "io/files/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "io/files/atomic_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_to(const char* action, const fs::path& path, int error) {
  const bool forbidden = error == EACCES || error == EPERM;
  fail(forbidden ? ExitCode::kPermission : ExitCode::kCannotCreate, "[{}] cannot {}: {}",
       printable(path.string()), action, system_message(error));
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Directory::Directory(int parent, const fs::path& name, fs::path path, int flags)
    : path_(std::move(path)),
      file_(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | flags)) {
  if (file_.get() < 0) fail_to("open this directory", path_, errno);
}

Directory::Directory(const fs::path& path) : Directory(AT_FDCWD, path, path, 0) {}

Directory Directory::subdirectory(const std::string& name) const {
  struct stat status {};
  const bool there = ::fstatat(file_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  check(there ? S_ISDIR(status.st_mode) : errno != ENOENT, ExitCode::kCannotCreate,
        "[{}] expected a directory, got {}", printable((path_ / name).string()),
        !there                    ? "nothing"
        : S_ISLNK(status.st_mode) ? "a symbolic link"
                                  : "something else");
  return {file_.get(), name, path_ / name, O_NOFOLLOW};
}

Directory Directory::make_subdirectory(const std::string& name) const {
  if (::mkdirat(file_.get(), name.c_str(), 0777) != 0 && errno != EEXIST)
    fail_to("make this directory", path_ / name, errno);
  return subdirectory(name);
}

bool Directory::is_at_path() const {
  struct stat here {};
  struct stat there {};
  return ::fstat(file_.get(), &here) == 0 && ::stat(path_.c_str(), &there) == 0 &&
         same_file(here, there);
}

bool Directory::is_removed() const {
  struct stat status {};
  return ::fstat(file_.get(), &status) != 0 || status.st_nlink == 0;
}

bool Directory::holds(const std::string& name, const FileDescriptor& file) const {
  struct stat ours {};
  struct stat found {};
  return ::fstat(file.get(), &ours) == 0 &&
         ::fstatat(file_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         same_file(ours, found);
}

bool Directory::has(const std::string& name) const {
  struct stat found {};
  return ::fstatat(file_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
}

std::vector<std::string> Directory::file_names() const {
  const int descriptor = ::openat(file_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_to("list this directory", path_, errno);
  const std::unique_ptr<DIR, CloseDirectory> entries(::fdopendir(descriptor));
  if (!entries) {
    const int error = errno;
    ::close(descriptor);
    fail_to("list this directory", path_, error);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    struct stat status {};
    const bool known = ::fstatat(descriptor, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (known && !S_ISDIR(status.st_mode)) names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) fail_to("list this directory", path_, errno);
  return names;
}

void Directory::write_atomically(const std::string& name, std::span<const std::byte> bytes) const {
  lockstep::write_atomically(*this, name, bytes);
}

void Directory::write_atomically(const std::string& name, std::string_view text) const {
  write_atomically(name, std::as_bytes(std::span(text.data(), text.size())));
}

void Directory::remove(const std::string& name) const {
  if (::unlinkat(file_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    fail_to("remove this file", path_ / name, errno);
}

}  // namespace lockstep
