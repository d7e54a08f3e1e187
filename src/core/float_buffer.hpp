#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace lockstep {

/// Zeroed floats that start on a 64-byte boundary, so that vector loads of whole cache lines fit.
class FloatBuffer {
 public:
  static constexpr std::int64_t kAlignment = 16;  ///< floats

  FloatBuffer() = default;
  explicit FloatBuffer(std::int64_t floats) : size_(static_cast<std::size_t>(floats)) {
    memory_.reset(static_cast<float*>(::operator new[](size_ * sizeof(float), kBoundary)));
    std::fill_n(memory_.get(), size_, 0.0f);
  }

  std::span<float> span() { return {memory_.get(), size_}; }
  std::span<const float> span() const { return {memory_.get(), size_}; }

  /// `floats` rounded up to whole 64-byte lines.
  static std::int64_t padded(std::int64_t floats) {
    return (floats + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  static constexpr std::align_val_t kBoundary{kAlignment * sizeof(float)};
  struct Release {
    void operator()(float* memory) const { ::operator delete[](memory, kBoundary); }
  };
  std::unique_ptr<float[], Release> memory_;
  std::size_t size_ = 0;
};

}  // namespace lockstep
