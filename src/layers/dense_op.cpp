#include "src/layers/dense_op.hpp"

#include "src/kernels/gemm.hpp"
#include "src/layers/kernel_op.hpp"

namespace lockstep {
namespace {

/// x: (positions, in), y: (positions, units), of each sample.
class DenseOp final : public KernelOp {
 public:
  DenseOp(std::vector<Parameter*> parameters, std::int64_t positions, const Shape& kernel,
          std::int64_t units, bool relu)
      : KernelOp(std::move(parameters), positions, units, relu),
        inputs_(element_count(kernel) / units) {}

  /// y = x W + b
  void forward(const Pass& pass, const OpValues& values) const override {
    const Matrix y = values.y();
    multiply(pass.numerics, values.x().with_columns(inputs_), weights(),
             y.with_columns(channels()));
    finish(y);
  }
  Range gradient_columns(std::size_t parameter, Range elements,
                         std::int64_t columns) const override {
    if (parameter != kKernel) return {};
    if (positions() > 1) return {0, columns};
    return {elements.first / channels(), (elements.last + channels() - 1) / channels()};
  }

 private:
  /// dx = dz W^T
  void input_gradient(const Pass& pass, const OpValues& values, Matrix dx) const override {
    multiply_transposed_b(pass.numerics, values.dy().with_columns(channels()), weights(),
                          dx.with_columns(inputs_));
  }
  /// dW = x^T dz
  void kernel_gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                       Range elements, float* out) const override {
    multiply_transposed_a(pass.numerics, values.x().with_columns(inputs_),
                          values.dy().with_columns(channels()),
                          subtrees.with_positions(positions()), elements, out);
  }
  ConstMatrix weights() const { return {kernel(), inputs_, channels()}; }

  std::int64_t inputs_;
};

}  // namespace

std::unique_ptr<Op> make_dense_op(std::vector<Parameter*> parameters, std::int64_t positions,
                                  bool relu) {
  const std::int64_t units = parameters.front()->shape.back();
  return make_dense_op(std::move(parameters), positions, units, relu);
}

std::unique_ptr<Op> make_dense_op(std::vector<Parameter*> parameters, std::int64_t positions,
                                  std::int64_t units, bool relu) {
  const Shape kernel = parameters.front()->shape;
  return std::make_unique<DenseOp>(std::move(parameters), positions, kernel, units, relu);
}

}  // namespace lockstep
