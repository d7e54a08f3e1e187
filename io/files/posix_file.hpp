#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace lockstep {

/// Owns a file descriptor; -1: none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

/// Opens a regular file for reading.
/// Throws Error: 66 missing, a directory or another kind of file, 77 no permission, 74 otherwise.
FileDescriptor open_input(const std::filesystem::path& path);

/// What the system says about an errno value: "No space left on device".
std::string system_message(int error);

}  // namespace lockstep
