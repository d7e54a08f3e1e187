#pragma once

#include <cstdint>

#include "src/core/float_buffer.hpp"
#include "src/core/matrix.hpp"

namespace lockstep {

/// Memory of this thread that grows when needed and is kept, cut into matrices. One at a time.
class Scratch {
 public:
  explicit Scratch(std::int64_t floats) {
    thread_local FloatBuffer memory;
    next_ = memory.at_least(floats);
  }
  Matrix take(std::int64_t rows, std::int64_t columns) {
    const Matrix matrix{next_, rows, columns};
    next_ += FloatBuffer::padded(matrix.size());
    return matrix;
  }
  static std::int64_t floats(std::int64_t rows, std::int64_t columns) {
    return FloatBuffer::padded(rows * columns);
  }

 private:
  float* next_;
};

}  // namespace lockstep
