#pragma once

#include "src/graph/op.hpp"
#include "src/layers/normalization.hpp"

namespace lockstep {

/// By what the elements of one position are divided.
enum class RowNorm : std::uint8_t {
  kDeviation,       ///< after their mean is taken off: sqrt(variance + epsilon)
  kRootMeanSquare,  ///< sqrt(mean of squares + epsilon)
  kLength,          ///< sqrt(sum of squares), or sqrt(epsilon) if that is larger
};

/// y = xhat * scale + offset, where xhat has moments (see Kernels) of each position of its own.
/// x: (positions, elements) of each sample. The sums within a position are doubles, in 16 lanes.
class RowNormOp final : public Op {
 public:
  RowNormOp(RowNorm norm, ScaleAndOffset affine, double epsilon, std::int64_t elements,
            std::int64_t positions)
      : norm_(norm),
        affine_(std::move(affine)),
        epsilon_(epsilon),
        elements_(elements),
        positions_(positions) {}

  Needs needs() const override {
    return {.kept_per_row = kMomentFloats * positions_,
            .backward_reads_y = false,
            .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return affine_.parameters(); }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;
  Range gradient_columns(std::size_t parameter, Range elements,
                         std::int64_t columns) const override;

 private:
  Moments moments(const float* x) const;
  bool is_short(const Moments& moments) const;

  RowNorm norm_;
  ScaleAndOffset affine_;
  double epsilon_;
  std::int64_t elements_;
  std::int64_t positions_;
};

}  // namespace lockstep
