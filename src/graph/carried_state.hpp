#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "src/core/float_buffer.hpp"
#include "src/core/matrix.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// What a stateful layer carries from sample i of a batch to sample i of the next one: (batch,
/// columns). A forward pass reads it as the batch before has left it, and leaves it anew in other
/// memory: so passes over a batch may be repeated, and backward reads it, too, until turn() ends
/// the batch. No gradient flows through it.
class CarriedState {
 public:
  CarriedState(std::string layer, std::int64_t columns)
      : layer_(std::move(layer)), columns_(columns) {}

  const std::string& layer() const { return layer_; }
  std::int64_t columns() const { return columns_; }

  /// Zeros, of a batch of so many rows. Until then every batch begins with zeros and leaves
  /// nothing.
  void begin(std::int64_t rows) {
    const std::int64_t floats = element_count({rows, columns_});
    before_ = FloatBuffer(floats);
    after_ = FloatBuffer(floats);
    rows_ = rows;
  }
  void turn() { std::swap(before_, after_); }
  std::int64_t rows() const { return rows_; }

  /// Empty before begin().
  Matrix before() { return {before_.span().data(), rows_, columns_}; }
  Matrix after() { return {after_.span().data(), rows_, columns_}; }

 private:
  std::string layer_;
  std::int64_t columns_;
  std::int64_t rows_ = 0;
  FloatBuffer before_, after_;
};

}  // namespace lockstep
