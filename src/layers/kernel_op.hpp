#pragma once

#include <cstdint>
#include <vector>

#include "src/graph/op.hpp"

namespace lockstep {

/// What ops with a kernel have in common: y = kernel applied to x, then at each position + b if
/// there is one, then relu if wanted. `parameters`: the kernel, and b. y: (positions, channels) of
/// each sample.
class KernelOp : public Op {
 public:
  Needs needs() const final {
    return {.backward_reads_x = false, .backward_reads_y = relu_, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const final { return parameters_; }
  /// dz = dy where relu lets it through, left in dy;  dx = input_gradient(dz)
  void backward(const Pass& pass, const OpValues& values) const final;
  /// db = column sums of dz over all positions
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const final;

 protected:
  static constexpr std::size_t kKernel = 0, kBias = 1;

  KernelOp(std::vector<Parameter*> parameters, std::int64_t positions, std::int64_t channels,
           bool relu)
      : parameters_(std::move(parameters)),
        positions_(positions),
        channels_(channels),
        relu_(relu) {}

  /// Both from dz = values.dy().
  virtual void input_gradient(const Pass& pass, const OpValues& values, Matrix dx) const = 0;
  virtual void kernel_gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                               Range elements, float* out) const = 0;

  const float* kernel() const { return parameters_[kKernel]->value.data(); }
  /// Null if there is none.
  const float* bias() const {
    return parameters_.size() > kBias ? parameters_[kBias]->value.data() : nullptr;
  }
  std::int64_t positions() const { return positions_; }
  std::int64_t channels() const { return channels_; }
  bool relu() const { return relu_; }
  /// b and relu, for forward passes that do not add them themselves.
  void finish(Matrix y) const;

 private:
  std::vector<Parameter*> parameters_;
  std::int64_t positions_, channels_;
  bool relu_;
};

}  // namespace lockstep
