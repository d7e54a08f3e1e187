#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/posix_file.hpp"

namespace lockstep {

/// A directory held open: it stays this one whatever becomes of its path. What is written and
/// removed by name goes here, and through no link.
class Directory {
 public:
  /// Follows a link. Throws Error: 77 without permission, 73 if there is no directory.
  explicit Directory(const std::filesystem::path& path);
  /// A directory in this one; a link to one is refused. Throws as above.
  Directory subdirectory(const std::string& name) const;
  /// The same; makes it unless something of that name is there.
  Directory make_subdirectory(const std::string& name) const;

  const std::filesystem::path& path() const { return path_; }  ///< where it was opened
  bool is_at_path() const;  ///< whether path() still leads to this directory
  bool is_removed() const;
  /// Whether a file of this name is the one that is open as `file`.
  bool holds(const std::string& name, const FileDescriptor& file) const;
  bool has(const std::string& name) const;  ///< of any kind, a link to nowhere too
  /// All entries but directories, in any order. Throws Error: 73, 77.
  std::vector<std::string> file_names() const;

  /// As ::lockstep::write_atomically, in this directory.
  void write_atomically(const std::string& name, std::span<const std::byte> bytes) const;
  void write_atomically(const std::string& name, std::string_view text) const;
  /// A file that is not there is fine. Throws Error: 73, 77.
  void remove(const std::string& name) const;

  int descriptor() const { return file_.get(); }  ///< for openat() and its kin only (O_PATH)

 private:
  Directory(int parent, const std::filesystem::path& name, std::filesystem::path path, int flags);

  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace lockstep
