#include "src/core/float_buffer.hpp"

#include <algorithm>
#include <new>

#include "src/core/memory.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lockstep {

FloatBuffer::FloatBuffer(std::int64_t floats) : size_(static_cast<std::size_t>(floats)) {
  constexpr std::size_t kLine = kAlignment * sizeof(float);
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const bool huge = size_ * sizeof(float) >= 2 * kHugePage;
  const std::size_t boundary = huge ? kHugePage : kLine;
  const std::size_t bytes = (size_ * sizeof(float) + boundary) / boundary * boundary;
  memory_.reset(static_cast<float*>(std::aligned_alloc(boundary, bytes)));
  if (!memory_) throw OutOfMemory("expected " + mebibytes(bytes));
#if defined(__linux__)
  if (huge) madvise(memory_.get(), bytes, MADV_HUGEPAGE);  // a wish: it may be refused
#endif
  std::fill_n(memory_.get(), size_, 0.0f);
}

float* FloatBuffer::at_least(std::int64_t floats) {
  if (static_cast<std::int64_t>(size_) < floats) {
    *this = FloatBuffer();  // before the larger one is taken
    *this = FloatBuffer(floats);
  }
  return memory_.get();
}

}  // namespace lockstep
