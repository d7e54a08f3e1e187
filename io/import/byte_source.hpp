#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace lockstep {

/// Bytes that are read from front to back and end in an array.
class ArraySource {
 public:
  virtual ~ArraySource() = default;
  virtual const std::string& name() const = 0;  ///< for messages
  /// Fills `out`; returns how many bytes there were, fewer only at the end. Throws Error: 65 for
  /// damaged compression, 74 on a failing disk.
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /// The rest, which must be an array of these extents, no more and no less, with at least one
  /// element: 65 otherwise. Whatever the extents say, not much more memory is taken than there are
  /// bytes, inflated.
  virtual std::vector<std::byte> read_array(const Shape& extents, std::size_t element_size) = 0;
};

/// A file that is read from front to back, gzipped or plain: zlib tells which.
class ByteSource final : public ArraySource {
 public:
  /// Throws Error: 66 missing or a directory, 77 no permission, 74 on a failing disk.
  explicit ByteSource(const std::filesystem::path& path);
  ~ByteSource() override;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  const std::string& name() const override { return name_; }
  std::size_t read(std::span<std::byte> out) override;
  std::vector<std::byte> read_array(const Shape& extents, std::size_t element_size) override;

 private:
  std::uint64_t array_bytes(const Shape& extents, std::size_t element_size) const;

  std::string name_;
  std::uint64_t file_bytes_ = 0;  ///< on disk, compressed or not
  void* file_ = nullptr;          ///< gzFile
  std::uint64_t position_ = 0;    ///< bytes read so far
};

/// The bytes of an array of these extents. Throws Error (65) if it has no element, or more bytes
/// than 63 bits count.
std::uint64_t checked_array_bytes(const Shape& extents, std::size_t element_size,
                                  const std::string& name);

/// Reverses the bytes of each element of `element_size` bytes.
void reverse_elements(std::span<std::byte> bytes, std::size_t element_size);

}  // namespace lockstep
