#include "launch/machine/machine.hpp"

#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/files/posix_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "launch/machine/blas_correction.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// The text behind "key ... : " in a file of lines; empty if there is none.
std::string value_in(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? "" : line.substr(first);
  }
  return "";
}

/// The number that a text begins with ("23669 kB", "max").
std::optional<std::int64_t> leading_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> number_in_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return leading_number(line);
}

/// What is left below the tightest limit of this process's cgroup (version 2) and its parents.
std::optional<std::int64_t> left_in_cgroup() {
  const std::filesystem::path root = "/sys/fs/cgroup";
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("0::/")) {
  }
  if (!line.starts_with("0::/")) return std::nullopt;
  std::optional<std::int64_t> least;
  for (std::filesystem::path group = line.substr(4);; group = group.parent_path()) {
    const auto limit = number_in_file(root / group / "memory.max");
    const auto used = number_in_file(root / group / "memory.current");
    if (limit && used) {
      const std::int64_t left = std::max<std::int64_t>(*limit - *used, 0);
      least = std::min(least.value_or(left), left);
    }
    if (group.empty()) return least;
  }
}

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

std::optional<std::int64_t> available_memory() {
  std::optional<std::int64_t> kilobytes = leading_number(value_in("/proc/meminfo", "MemAvailable"));
  const std::optional<std::int64_t> limited = left_in_cgroup();
  if (!kilobytes) return limited;
  return std::min(*kilobytes * 1024, limited.value_or(*kilobytes * 1024));
}

std::int64_t resident_memory() {
  return leading_number(value_in("/proc/self/smaps_rollup", "Pss")).value_or(0) * 1024;
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
