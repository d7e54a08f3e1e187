#include "src/layers/scalar_op.hpp"

#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Backward leaves the products x dy in dy.
class ScalarOp final : public Op {
 public:
  explicit ScalarOp(Parameter* scalar) : scalar_(scalar) {}

  Needs needs() const override { return {.backward_reads_y = false, .gradient_reads_y = false}; }
  std::span<Parameter* const> parameters() const override { return {&scalar_, 1}; }

  void forward(const Pass&, const OpValues& values) const override {
    scaled(values.x(), values.y());
  }
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dy = values.dy();
    if (!values.dx().empty()) scaled(dy, values.dx());
    if (scalar_->trained()) kernels().multiply(dy.data, values.x().data, dy.data, dy.size());
  }
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const ConstMatrix products = values.dy();
    sum_rows(products.with_columns(1), subtrees.with_positions(products.columns), elements, out);
  }
  Range gradient_columns(std::size_t, Range, std::int64_t) const override { return {}; }

 private:
  void scaled(ConstMatrix from, Matrix to) const {
    kernels().scale_shift(from.data, to.data, to.size(), scalar_->value[0], 0.0f);
  }

  Parameter* scalar_;
};

}  // namespace

std::size_t times_scalar(Graph& graph, std::size_t value, Parameter& scalar) {
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<ScalarOp>(&scalar), {value}, shape);
}

}  // namespace lockstep
