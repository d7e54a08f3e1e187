#include "src/layers/dense_op.hpp"

#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// y = x W + b, and relu behind it.  x: (positions, in), y: (positions, units), of each sample.
class DenseOp final : public Op {
 public:
  DenseOp(std::vector<Parameter*> parameters, std::int64_t positions, bool relu)
      : parameters_(std::move(parameters)),
        units_(parameters_[kKernel]->shape.back()),
        inputs_(element_count(parameters_[kKernel]->shape) / units_),
        positions_(positions),
        relu_(relu) {}

  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = relu_, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;
  Range gradient_columns(std::size_t parameter, Range elements,
                         std::int64_t columns) const override;

 private:
  static constexpr std::size_t kKernel = 0, kBias = 1;
  ConstMatrix kernel() const { return {parameters_[kKernel]->value.data(), inputs_, units_}; }

  std::vector<Parameter*> parameters_;
  std::int64_t units_;
  std::int64_t inputs_;
  std::int64_t positions_;  ///< rows of W's input in one sample
  bool relu_;
};

void DenseOp::forward(const Pass& pass, const OpValues& values) const {
  const Matrix y = values.y().with_columns(units_);
  multiply(pass.numerics, values.x().with_columns(inputs_), kernel(), y);
  if (parameters_.size() == 1) return;
  const float* const bias = parameters_[kBias]->value.data();
  (relu_ ? kernels().add_bias_relu : kernels().add_bias)(y.data, bias, y.rows, units_);
}

/// dz = dy where relu lets it through, left in dy;  dx = dz W^T
void DenseOp::backward(const Pass& pass, const OpValues& values) const {
  const Matrix dz = values.dy().with_columns(units_);
  if (relu_) kernels().relu_backward(values.y().data, dz.data, dz.size());
  const Matrix dx = values.dx();
  if (!dx.empty()) multiply_transposed_b(pass.numerics, dz, kernel(), dx.with_columns(inputs_));
}

/// dW = x^T dz,  db = column sums of dz
void DenseOp::gradient(const Pass& pass, const OpValues& values, const Subtrees& of_samples,
                       std::size_t parameter, Range elements, float* out) const {
  const ConstMatrix dz = values.dy().with_columns(units_);
  const Subtrees subtrees = of_samples.with_positions(positions_);
  if (parameter == kKernel) {
    multiply_transposed_a(pass.numerics, values.x().with_columns(inputs_), dz, subtrees, elements,
                          out);
  } else {
    sum_rows(dz, subtrees, elements, out);
  }
}

Range DenseOp::gradient_columns(std::size_t parameter, Range elements, std::int64_t columns) const {
  if (parameter != kKernel) return {};
  if (positions_ > 1) return {0, columns};
  return {elements.first / units_, (elements.last + units_ - 1) / units_};
}

}  // namespace

std::unique_ptr<Op> make_dense_op(std::vector<Parameter*> parameters, std::int64_t positions,
                                  bool relu) {
  return std::make_unique<DenseOp>(std::move(parameters), positions, relu);
}

}  // namespace lockstep
