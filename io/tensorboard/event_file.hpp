#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lockstep {

/// An event file of TensorBoard that grows, and whose name is always the same, so that it is found
/// again.
class EventFile {
 public:
  /// In `directory`, which is made when something is written.
  explicit EventFile(std::filesystem::path directory);

  const std::filesystem::path& path() const { return path_; }
  /// Takes back what is of `step` and later, or damaged; the last step that is left, or -1. Throws
  /// Error: 77, 73, 74.
  std::int64_t take_back(std::int64_t step) const;
  /// Whether there is a number of this step or later. Throws as take_back().
  bool has_from(std::int64_t step) const;
  /// Adds records; behind the file's first one if it is new. Throws as take_back().
  void add(const std::string& records) const;

 private:
  std::string bytes() const;

  std::filesystem::path path_;
};

}  // namespace lockstep
