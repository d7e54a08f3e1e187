#pragma once

#include <filesystem>
#include <string>

#include "io/files/directory.hpp"

namespace lockstep {

/// Keeps a second trainer out of a run directory for as long as it lives; the kernel lets go of it
/// when the process ends, however it ends. Where files cannot be locked it keeps nobody out.
class RunLock {
 public:
  /// Throws Error (73), naming host, process and job of the holder, if there is one; 77 without
  /// permission.
  explicit RunLock(const std::filesystem::path& path);
  RunLock(const Directory& directory, const std::string& name);

  bool keeps_others_out() const { return locked_; }
  /// Whether the lock file of the directory is still this one: it may have been removed or
  /// replaced, and then another trainer may be at work there.
  bool is_in(const Directory& directory) const { return directory.holds(name_, file_); }

 private:
  RunLock(int directory, const std::filesystem::path& name, const std::filesystem::path& shown);

  std::string name_;
  FileDescriptor file_;
  bool locked_ = false;
};

}  // namespace lockstep
