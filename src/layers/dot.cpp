#include "src/layers/dot.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/gemm.hpp"
#include "src/layers/axes.hpp"
#include "src/layers/row_norm_op.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {
namespace {

/// The shortest length by which Keras 3 divides, squared.
constexpr double kShortestSquared = 1e-14;

/// y = a b^T of each sample.  a: (m, length), b: (n, length), y: (m, n).
class BatchDotOp final : public Op {
 public:
  BatchDotOp(std::int64_t m, std::int64_t n, std::int64_t length) : m_(m), n_(n), length_(length) {}

  Needs needs() const override { return {.backward_reads_y = false}; }
  void forward(const Pass& pass, const OpValues& values) const override {
    for (std::int64_t i = 0; i < values.rows(); ++i)
      multiply_transposed_b(pass.numerics, a(values, i), b(values, i), of(values.y(), i, m_, n_));
  }
  void backward(const Pass& pass, const OpValues& values) const override;

 private:
  template <class T>
  static MatrixView<T> of(MatrixView<T> samples, std::int64_t i, std::int64_t rows,
                          std::int64_t columns) {
    return {samples.row(i), rows, columns};
  }
  ConstMatrix a(const OpValues& values, std::int64_t i) const {
    return of(values.x(0), i, m_, length_);
  }
  ConstMatrix b(const OpValues& values, std::int64_t i) const {
    return of(values.x(1), i, n_, length_);
  }

  std::int64_t m_, n_, length_;
};

/// da = dy b,  db = dy^T a, whose chains are over m ascending
void BatchDotOp::backward(const Pass& pass, const OpValues& values) const {
  const Matrix da = values.dx(0), db = values.dx(1);
  const Range all{0, m_};
  const Subtrees one{.samples = {&all, 1}, .grain = m_};
  for (std::int64_t i = 0; i < values.rows(); ++i) {
    const Matrix dy = of(values.dy(), i, m_, n_);
    if (!da.empty()) multiply(pass.numerics, dy, b(values, i), of(da, i, m_, length_));
    if (!db.empty())
      multiply_transposed_a(pass.numerics, dy, a(values, i), one, {0, n_ * length_}, db.row(i));
  }
}

/// The value with one axis behind the others.
std::size_t with_axis_last(Graph& graph, std::size_t value, std::size_t axis) {
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < graph.shape(value).size(); ++k)
    if (k != axis) order.push_back(k);
  order.push_back(axis);
  return permuted(graph, value, order);
}

}  // namespace

Dot::Dot(std::array<std::int64_t, 2> axes, bool normalize) : axes_(axes), normalize_(normalize) {
  for (const std::int64_t axis : axes)
    check(axis != 0, ExitCode::kBadData,
          "[dot] expected axes of a sample (1 is the first one, -1 the last one), got 0, the batch "
          "axis");
}

std::size_t Dot::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check(inputs.size() == 2, ExitCode::kBadData, "[{}] expected exactly two inputs, got {}", name(),
        inputs.size());
  const std::array shapes = {graph.shape(inputs[0]), graph.shape(inputs[1])};
  std::array<std::size_t, 2> axes;
  for (std::size_t i = 0; i < 2; ++i) axes[i] = sample_axis(axes_[i], shapes[i], name());
  const std::int64_t length = shapes[0][axes[0]];
  check(length == shapes[1][axes[1]], ExitCode::kBadData,
        "[{}] expected axis {} of {} to be as long as axis {} of {}", name(), axes[0] + 1,
        to_string_batched(shapes[0]), axes[1] + 1, to_string_batched(shapes[1]));
  std::array<std::size_t, 2> values;
  Shape output;
  for (std::size_t i = 0; i < 2; ++i) {
    values[i] = with_axis_last(graph, inputs[i], axes[i]);
    const Shape shape = graph.shape(values[i]);
    output.insert(output.end(), shape.begin(), shape.end() - 1);
    if (normalize_)
      values[i] = graph.add(std::make_unique<RowNormOp>(
                                RowNorm::kLength, ScaleAndOffset(parameters_, false, false, length),
                                kShortestSquared, length, element_count(shape) / length),
                            {values[i]}, shape);
  }
  if (output.empty()) output = {1};
  const std::int64_t m = element_count(shapes[0]) / length, n = element_count(shapes[1]) / length;
  return graph.add(std::make_unique<BatchDotOp>(m, n, length), {values[0], values[1]}, output);
}

nlohmann::ordered_json Dot::config() const {
  nlohmann::ordered_json axes = axes_;
  return {{"axes", axes_[0] == axes_[1] ? axes[0] : axes}, {"normalize", normalize_}};
}

}  // namespace lockstep
