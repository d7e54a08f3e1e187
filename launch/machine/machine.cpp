#include "launch/machine/machine.hpp"

#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "io/files/posix_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "launch/machine/blas_correction.hpp"
#include "src/core/error.hpp"
#include "src/core/system_files.hpp"

namespace lockstep {
namespace {

/// A new empty file, removed at the end.
class ProbeFile {
 public:
  explicit ProbeFile(const std::string& directory) : path_(directory + "/.lockstep-doctor-XXXXXX") {
    descriptor_ = FileDescriptor(::mkstemp(path_.data()));
    if (descriptor_.get() < 0) error_ = errno;
  }
  ~ProbeFile() {
    if (descriptor_.get() >= 0) ::unlink(path_.c_str());
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;

  int descriptor() const { return descriptor_.get(); }
  int error() const { return error_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileDescriptor descriptor_;
  int error_ = 0;
};

}  // namespace

std::string cpu_model() {
  const std::string model = value_in("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown CPU" : model;
}

std::string instruction_sets() {
  const CpuAbilities cpu = cpu_abilities();
  if (!cpu.avx2_fma) return "";
  return cpu.avx512 ? "avx2 fma avx512" : "avx2 fma";
}

std::optional<FileSystemSpace> space_on(const std::string& directory) {
  struct statvfs status = {};
  if (::statvfs(directory.c_str(), &status) != 0) return std::nullopt;
  const auto block = static_cast<std::int64_t>(status.f_frsize);
  return FileSystemSpace{static_cast<std::int64_t>(status.f_blocks) * block,
                         static_cast<std::int64_t>(status.f_bavail) * block};
}

DirectoryCheck check_directory(const std::string& directory) {
  DirectoryCheck result;
  const ProbeFile probe(directory);
  result.writable = probe.descriptor() >= 0;
  if (!result.writable) {
    result.reason = system_message(probe.error());
    return result;
  }
  result.lockable = ::flock(probe.descriptor(), LOCK_EX | LOCK_NB) == 0;
  if (!result.lockable) result.reason = system_message(errno);
  ::flock(probe.descriptor(), LOCK_UN);
  try {
    constexpr std::int64_t kNumber = 20'240'229;
    hdf5::Writer writer = hdf5::Writer::create(probe.path());
    writer.write_integer("/number", kNumber);
    writer.close();
    result.hdf5_works = hdf5::File::open(probe.path()).read_integer("/number") == kNumber;
    if (!result.hdf5_works) result.reason = "a number read back differs from the one written";
  } catch (const Error& error) {
    result.reason = error.what();
  }
  return result;
}

}  // namespace lockstep
