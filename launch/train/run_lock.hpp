#pragma once

#include <filesystem>

#include "io/files/posix_file.hpp"

namespace lockstep {

/// Keeps a second trainer out of a run directory for as long as it lives; the kernel lets go of it
/// when the process ends, however it ends. Where files cannot be locked it does nothing.
class RunLock {
 public:
  /// Throws Error (73), naming host, process and job of the holder, if there is one.
  explicit RunLock(const std::filesystem::path& path);

 private:
  FileDescriptor file_;
};

}  // namespace lockstep
