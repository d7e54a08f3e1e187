#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace lockstep {

/// A file that is read from front to back, gzipped or plain: zlib tells which.
class ByteSource {
 public:
  /// Throws Error: 66 missing or a directory, 77 no permission, 74 on a failing disk.
  explicit ByteSource(const std::filesystem::path& path);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  const std::string& name() const { return name_; }

  /// Fills `out`; returns how many bytes there were, fewer only at the end of the file.
  /// Throws Error: 65 for a damaged or truncated gzip stream, 74 on a failing disk.
  std::size_t read(std::span<std::byte> out);

  /// The rest of the file, which must be an array of these extents, no more and no less, with at
  /// least one element: 65 otherwise. Whatever the extents say, not much more memory is taken than
  /// the file has bytes, inflated.
  std::vector<std::byte> read_array(const Shape& extents, std::size_t element_size);

 private:
  std::uint64_t array_bytes(const Shape& extents, std::size_t element_size) const;

  std::string name_;
  std::uint64_t file_bytes_ = 0;  ///< on disk, compressed or not
  void* file_ = nullptr;          ///< gzFile
  std::uint64_t position_ = 0;    ///< bytes read so far
};

/// Reverses the bytes of each element of `element_size` bytes.
void reverse_elements(std::span<std::byte> bytes, std::size_t element_size);

}  // namespace lockstep
