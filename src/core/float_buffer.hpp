#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace lockstep {

/// Zeroed floats that start on a 64-byte boundary, so that vector loads of whole cache lines fit.
/// Large buffers ask the system for huge pages: a matrix with long rows touches a page a row.
class FloatBuffer {
 public:
  static constexpr std::int64_t kAlignment = 16;  ///< floats

  FloatBuffer() = default;
  /// Throws OutOfMemory.
  explicit FloatBuffer(std::int64_t floats);

  std::span<float> span() { return {memory_.get(), size_}; }
  std::span<const float> span() const { return {memory_.get(), size_}; }

  /// So many floats, or more; what it held is lost if it was smaller. For memory that a thread
  /// keeps from call to call. Throws OutOfMemory.
  float* at_least(std::int64_t floats);

  /// `floats` rounded up to whole 64-byte lines.
  static std::int64_t padded(std::int64_t floats) {
    return (floats + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  struct Release {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float[], Release> memory_;
  std::size_t size_ = 0;
};

}  // namespace lockstep
