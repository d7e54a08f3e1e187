#include "src/layers/strided_op.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// y = x as the runs say; dx: the sums over an element's copies, ascending.
class StridedOp final : public Op {
 public:
  /// `order`: of a permutation's axes, empty for others.
  StridedOp(StridedRuns runs, std::vector<std::size_t> order)
      : runs_(std::move(runs)), order_(std::move(order)) {}

  const std::vector<std::size_t>& order() const { return order_; }

  Needs needs() const override { return {.backward_reads_x = false, .backward_reads_y = false}; }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;

 private:
  StridedRuns runs_;
  std::vector<std::size_t> order_;
};

void StridedOp::forward(const Pass&, const OpValues& values) const {
  const std::int64_t length = runs_.length, step = runs_.step;
  const ConstMatrix x = values.x();
  const Matrix y = values.y();
  float* to = y.data;
  for (std::int64_t i = 0; i < y.rows; ++i) {
    for (const std::int64_t start : runs_.starts) {
      const float* from = x.row(i) + start;
      if (step == 0) {
        std::fill_n(to, length, *from);
      } else if (step == 1) {
        std::copy_n(from, length, to);
      } else {
        for (std::int64_t j = 0; j < length; ++j) to[j] = from[j * step];
      }
      to += length;
    }
  }
}

void StridedOp::backward(const Pass&, const OpValues& values) const {
  const std::int64_t length = runs_.length, step = runs_.step;
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  const float* from = values.dy().data;
  if (runs_.repeats) std::ranges::fill(dx.flat(), 0.0f);
  for (std::int64_t i = 0; i < dx.rows; ++i) {
    for (const std::int64_t start : runs_.starts) {
      float* to = dx.row(i) + start;
      if (!runs_.repeats) {
        for (std::int64_t j = 0; j < length; ++j) to[j * step] = from[j];
      } else if (step == 1) {
        kernels().sum(to, from, to, length);
      } else {
        for (std::int64_t j = 0; j < length; ++j) to[j * step] += from[j];
      }
      from += length;
    }
  }
}

std::size_t add_strided(Graph& graph, std::size_t value, const Shape& shape,
                        const std::vector<std::int64_t>& strides,
                        const std::vector<std::size_t>& order = {}) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();  // a start may be each
  check(element_count(shape) <= kMost, ExitCode::kBadData,
        "expected at most {} elements a sample, got {}", kMost, to_string_batched(shape));
  return graph.add(std::make_unique<StridedOp>(strided_runs(shape, strides), order), {value},
                   shape);
}

/// Axes of extent 1 may stand anywhere: only the others count.
bool keeps_order(const std::vector<std::size_t>& order, const Shape& shape) {
  std::vector<std::size_t> others;
  for (const std::size_t axis : order)
    if (shape[axis] != 1) others.push_back(axis);
  return std::ranges::is_sorted(others);
}

/// The value of which this one is a permutation that `order` takes back, if it is one.
std::optional<std::size_t> taken_back(const Graph& graph, std::size_t value,
                                      const std::vector<std::size_t>& order) {
  const auto step = std::ranges::find(graph.steps(), value, &Graph::Step::output);
  if (step == graph.steps().end()) return {};
  const auto* const permutation = dynamic_cast<const StridedOp*>(step->op.get());
  if (!permutation || permutation->order().size() != order.size()) return {};
  if (graph.mask(step->inputs[0])) return {};  // which a permutation ends
  for (std::size_t k = 0; k < order.size(); ++k)
    if (permutation->order()[order[k]] != k) return {};
  return step->inputs[0];
}

}  // namespace

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t k = shape.size(); k-- > 0; stride *= shape[k]) strides[k] = stride;
  return strides;
}

StridedRuns strided_runs(const Shape& shape, const std::vector<std::int64_t>& strides) {
  StridedRuns runs;
  std::size_t axes = shape.size();  // in front of the runs
  for (; axes > 0; --axes) {
    const std::int64_t extent = shape[axes - 1], stride = strides[axes - 1];
    if (extent == 1) continue;
    if (runs.length > 1 && stride != runs.step * runs.length) break;
    if (runs.length == 1) runs.step = stride;
    runs.length *= extent;
  }
  runs.starts = {0};
  for (std::size_t k = 0; k < axes; ++k) {
    std::vector<std::int64_t> finer;
    finer.reserve(runs.starts.size() * static_cast<std::size_t>(shape[k]));
    for (const std::int64_t start : runs.starts)
      for (std::int64_t i = 0; i < shape[k]; ++i) finer.push_back(start + i * strides[k]);
    runs.starts = std::move(finer);
  }
  for (std::size_t k = 0; k < shape.size(); ++k)
    runs.repeats = runs.repeats || (strides[k] == 0 && shape[k] > 1);
  return runs;
}

std::size_t broadcast_to(Graph& graph, std::size_t value, const Shape& shape) {
  Shape from(shape.size(), 1);
  const Shape input = graph.shape(value);
  std::ranges::copy_backward(input, from.end());
  if (input != from) value = graph.reshape(value, from);
  if (from == shape) return value;
  std::vector<std::int64_t> strides = row_major_strides(from);
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (from[k] != shape[k]) strides[k] = 0;
  return add_strided(graph, value, shape, strides);
}

std::size_t permuted(Graph& graph, std::size_t value, const std::vector<std::size_t>& order) {
  if (const auto before = taken_back(graph, value, order)) return *before;
  const Shape from = graph.shape(value);
  const std::vector<std::int64_t> from_strides = row_major_strides(from);
  Shape shape;
  std::vector<std::int64_t> strides;
  for (const std::size_t axis : order) {
    shape.push_back(from[axis]);
    strides.push_back(from_strides[axis]);
  }
  if (keeps_order(order, from)) return graph.reshape(value, shape);
  return add_strided(graph, value, shape, strides, order);
}

}  // namespace lockstep
