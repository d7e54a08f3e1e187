#include "io/files/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

ExitCode code_of_failed_open(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:  // a socket
      return ExitCode::kMissingInput;
    case EACCES:
    case EPERM:
      return ExitCode::kPermission;
    default:
      return ExitCode::kInputOutput;
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileDescriptor open_input(const std::filesystem::path& path) {
  int descriptor;
  do {  // not blocking: opening a pipe would wait for its writer
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    const int error = errno;
    fail(code_of_failed_open(error), "[{}] expected a file to read, got: {}", path.string(),
         system_message(error));
  }
  FileDescriptor file(descriptor);
  struct stat status {};
  check(::fstat(file.get(), &status) == 0, ExitCode::kInputOutput, "[{}] cannot examine: {}",
        path.string(), system_message(errno));
  check(!S_ISDIR(status.st_mode), ExitCode::kMissingInput, "[{}] expected a file, got a directory",
        path.string());
  check(S_ISREG(status.st_mode), ExitCode::kMissingInput,
        "[{}] expected a regular file, got a device, pipe or socket", path.string());
  return file;
}

std::string system_message(int error) {
  return std::generic_category().message(error);
}

}  // namespace lockstep
