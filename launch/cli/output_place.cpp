#include "launch/cli/output_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/files/posix_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(int error, const std::string& name, const std::string& expected) {
  const bool permission = error == EACCES || error == EPERM;
  fail(permission ? ExitCode::kPermission : ExitCode::kCannotCreate, "[{}] expected {}, got: {}",
       name, expected, system_message(error));
}

fs::path parent_of(const fs::path& out) {
  return out.has_parent_path() ? out.parent_path() : fs::path(".");
}

void check_directory(const fs::path& out, const std::string& name) {
  const fs::path parent = parent_of(out);
  struct stat found {};
  const int error = ::stat(parent.c_str(), &found) == 0 ? 0 : errno;
  if (error != 0 && error != ENOENT && error != ENOTDIR) {
    refuse(error, name, "a directory that can be opened in front of it");
  }
  check(error == 0 && S_ISDIR(found.st_mode), ExitCode::kCannotCreate,
        "[{}] expected the directory {} to exist, got {}", name, printable(parent.string()),
        error == ENOENT ? "none" : "a file");
  if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    refuse(errno, name, "a directory in which you may write");
  }
}

/// Whether `path` is a link of the system's to an open file, as /dev/stdout is: nothing to replace.
bool is_link_to_stream(const fs::path& path) {
  std::error_code ignored;
  const fs::path target = fs::read_symlink(path, ignored);
  const fs::path parent = fs::canonical(parent_of(path), ignored);
  return target.string().starts_with("/proc/") || parent.string().starts_with("/proc/");
}

}  // namespace

bool is_same_file(const fs::path& one, const fs::path& other) {
  struct stat first {};
  struct stat second {};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void check_output_file(const fs::path& out, bool overwrite, const std::vector<InputFile>& inputs) {
  const std::string name = printable(out.string());
  check(out.has_filename(), ExitCode::kCannotCreate,
        "[{}] expected the name of a file, got a directory", name);
  for (const InputFile& input : inputs) {
    check(!is_same_file(out, input.path), ExitCode::kCannotCreate,
          "[{}] is the file that {} names, {}: expected another --out, since not even --overwrite "
          "may destroy an input",
          name, input.option, printable(input.path.string()));
  }
  check_directory(out, name);
  struct stat found {};
  if (::lstat(out.c_str(), &found) != 0) {
    if (errno != ENOENT) refuse(errno, name, "a name for a new file");
    return;
  }
  check(!S_ISDIR(found.st_mode), ExitCode::kCannotCreate,
        "[{}] expected the name of a file, got a directory", name);
  check((S_ISREG(found.st_mode) || S_ISLNK(found.st_mode)) && !is_link_to_stream(out),
        ExitCode::kCannotCreate, "[{}] expected the name of a file, got a device, pipe or socket",
        name);
  check(overwrite, ExitCode::kCannotCreate,
        "[{}] expected a new file, got one that exists: choose another --out, or --overwrite to "
        "replace it",
        name);
}

}  // namespace lockstep
