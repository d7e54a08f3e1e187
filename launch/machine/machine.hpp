#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

/// "Intel(R) Xeon(R) Processor", as /proc/cpuinfo has it.
std::string cpu_model();
/// Those that matter here: "avx2 fma avx512"; empty for none.
std::string instruction_sets();
struct FileSystemSpace {
  std::int64_t size = 0;
  std::int64_t available = 0;
};
/// None if there is no such directory.
std::optional<FileSystemSpace> space_on(const std::string& directory);

/// Whether files in a directory can be written, locked, and written by HDF5 and read back.
struct DirectoryCheck {
  bool writable = false;
  bool lockable = false;
  bool hdf5_works = false;
  std::string reason;  ///< of the first thing that does not work
};
DirectoryCheck check_directory(const std::string& directory);

}  // namespace lockstep
