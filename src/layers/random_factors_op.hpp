#pragma once

#include <cstdint>
#include <span>

#include "src/graph/op.hpp"
#include "src/layers/row_random.hpp"

namespace lockstep {

/// In training y = x times random factors, which are drawn row by row and kept for backward; else
/// y = x.
class RandomFactorsOp : public Op {
 public:
  Needs needs() const final {
    return {.kept_per_row = factors_per_row_,
            .forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false,
            .draws = active_};
  }
  void forward(const Pass& pass, const OpValues& values) const final;
  void backward(const Pass& pass, const OpValues& values) const final;

 protected:
  /// `active`: whether the factors are others than 1. `key`: Layer::random_key(). `part`: of
  /// RowRandom.
  RandomFactorsOp(bool active, std::int64_t factors_per_row, Purpose purpose, std::uint32_t key,
                  std::uint32_t part = 0)
      : active_(active),
        factors_per_row_(factors_per_row),
        purpose_(purpose),
        key_(key),
        part_(part) {}

  /// The factors of a row of the global batch.
  virtual void draw(const RowRandom& random, std::int64_t row, std::span<float> factors) const = 0;
  /// y = x times the factors; y may be x. Of each element one, unless overridden.
  virtual void multiply(ConstMatrix x, ConstMatrix factors, Matrix y) const;
  /// If forward does more than that.
  virtual void apply(ConstMatrix x, ConstMatrix factors, Matrix y) const {
    multiply(x, factors, y);
  }

 private:
  bool active_;
  std::int64_t factors_per_row_;
  Purpose purpose_;
  std::uint32_t key_, part_;
};

/// Of dropout: what is left of an element is scaled so that means stay.
inline float scale_of_kept(double rate) {
  return rate < 1 ? static_cast<float>(1.0 / (1.0 - rate)) : 0.0f;
}

}  // namespace lockstep
