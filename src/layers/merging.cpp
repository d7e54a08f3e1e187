#include "src/layers/merging.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/mask_op.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {
namespace {

/// Of two inputs of one shape. Average is a sum here.
class MergingOp final : public Op {
 public:
  explicit MergingOp(Merge merge) : merge_(merge) {}

  Needs needs() const override {
    const bool is_sum =
        merge_ == Merge::kAdd || merge_ == Merge::kSubtract || merge_ == Merge::kAverage;
    return {.forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = !is_sum,
            .backward_reads_y = false};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;

 private:
  void backward_of_second(const OpValues& values, Matrix dx) const;

  Merge merge_;
};

void MergingOp::forward(const Pass&, const OpValues& values) const {
  const float* const a = values.x(0).data;
  const float* const b = values.x(1).data;
  const Matrix y = values.y();
  switch (merge_) {
    case Merge::kAdd:
    case Merge::kAverage:
      return kernels().sum(a, b, y.data, y.size());
    case Merge::kSubtract:
      return kernels().difference(a, b, y.data, y.size());
    case Merge::kMultiply:
      return kernels().multiply(a, b, y.data, y.size());
    case Merge::kMaximum:
      return kernels().maximum(a, b, y.data, y.size());
    case Merge::kMinimum:
      return kernels().minimum(a, b, y.data, y.size());
  }
}

void MergingOp::backward_of_second(const OpValues& values, Matrix dx) const {
  const Matrix dy = values.dy();
  const float* const a = values.x(0).data;
  const float* const b = values.x(1).data;
  const Kernels& k = kernels();
  switch (merge_) {
    case Merge::kAdd:
    case Merge::kAverage:
      return copy_values(dy, dx);
    case Merge::kSubtract:
      return k.scale_shift(dy.data, dx.data, dx.size(), -1.0f, 0.0f);
    case Merge::kMultiply:
      return k.multiply(dy.data, a, dx.data, dx.size());
    case Merge::kMaximum:
      return k.where_not_at_least(a, b, dy.data, dx.data, dx.size());
    case Merge::kMinimum:
      return k.where_not_at_least(b, a, dy.data, dx.data, dx.size());
  }
}

/// The first one last: its gradient may lie where dy does.
void MergingOp::backward(const Pass&, const OpValues& values) const {
  if (const Matrix second = values.dx(1); !second.empty()) backward_of_second(values, second);
  const Matrix dy = values.dy(), dx = values.dx(0);
  if (dx.empty()) return;
  const float* const a = values.x(0).data;
  const float* const b = values.x(1).data;
  switch (merge_) {
    case Merge::kAdd:
    case Merge::kAverage:
    case Merge::kSubtract:
      return copy_values(dy, dx);
    case Merge::kMultiply:
      return kernels().multiply(dy.data, b, dx.data, dx.size());
    case Merge::kMaximum:
      return kernels().where_at_least(a, b, dy.data, dx.data, dx.size());
    case Merge::kMinimum:
      return kernels().where_at_least(b, a, dy.data, dx.data, dx.size());
  }
}

/// y = x scale, by which Average becomes more than a sum.
class ScaleOp final : public Op {
 public:
  explicit ScaleOp(float scale) : scale_(scale) {}

  Needs needs() const override {
    return {.forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false};
  }
  void forward(const Pass&, const OpValues& values) const override {
    kernels().scale_shift(values.x().data, values.y().data, values.y().size(), scale_, 0.0f);
  }
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (!dx.empty()) kernels().scale_shift(values.dy().data, dx.data, dx.size(), scale_, 0.0f);
  }

 private:
  float scale_;
};

/// The shape that both are repeated to; throws unless their extents are equal or 1.
Shape common_shape(const Shape& a, const Shape& b, const std::string& layer) {
  if (a.size() < b.size()) return common_shape(b, a, layer);
  Shape common = a;
  for (std::size_t k = 0; k < b.size(); ++k) {
    std::int64_t& extent = common[a.size() - b.size() + k];
    check(extent == b[k] || extent == 1 || b[k] == 1, ExitCode::kBadData,
          "[{}] expected inputs whose extents are equal or 1, got {} and {}", layer,
          to_string_batched(a), to_string_batched(b));
    extent = std::max(extent, b[k]);
  }
  return common;
}

}  // namespace

std::size_t sum_of(Graph& graph, std::size_t a, std::size_t b) {
  const Shape shape = graph.shape(a);
  return graph.add(std::make_unique<MergingOp>(Merge::kAdd), {a, b}, shape);
}

std::size_t Merging::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check(merge_ != Merge::kSubtract || inputs.size() == 2, ExitCode::kBadData,
        "[{}] expected exactly two inputs, got {}", name(), inputs.size());
  if (on_mask() == OnMask::kLowers &&
      std::ranges::any_of(inputs, [&](std::size_t v) { return graph.mask(v).has_value(); }))
    return lower_masked(graph, inputs);
  std::size_t value = inputs[0];
  for (const std::size_t input : inputs.subspan(1)) {
    const Shape shape = common_shape(graph.shape(value), graph.shape(input), name());
    const std::size_t first = broadcast_to(graph, value, shape);
    const std::size_t second = broadcast_to(graph, input, shape);
    value = graph.add(std::make_unique<MergingOp>(merge_), {first, second}, shape);
  }
  if (merge_ != Merge::kAverage) return value;
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<ScaleOp>(1.0f / static_cast<float>(inputs.size())), {value},
                   shape);
}

/// As Keras 3 multiplies and chooses; Keras 2 does so as if there were no masks. A product has ones
/// for what is masked, and zeros where all are; of two values that are compared the one that counts
/// stands for the other.
std::size_t Merging::lower_masked(Graph& graph, std::span<const std::size_t> inputs) const {
  for (const std::size_t input : inputs)
    check(graph.shape(input) == graph.shape(inputs[0]), ExitCode::kBadData,
          "[{}] expected inputs of one shape behind a mask, got {} and {}", name(),
          to_string_batched(graph.shape(inputs[0])), to_string_batched(graph.shape(input)));
  const Shape shape = graph.shape(inputs[0]);
  const bool multiplies = merge_ == Merge::kMultiply;
  std::optional<std::size_t> mask = graph.mask(inputs[0]);
  std::size_t value = multiplies && mask ? filled(graph, *mask, inputs[0], 1.0f) : inputs[0];
  for (const std::size_t input : inputs.subspan(1)) {
    const std::optional<std::size_t> its = graph.mask(input);
    std::size_t second = input;
    if (its)
      second = multiplies ? filled(graph, *its, input, 1.0f) : chosen(graph, *its, input, value);
    if (mask && !multiplies) value = chosen(graph, *mask, value, second);
    if (mask && its)
      mask = any_of_masks(graph, std::array{*mask, *its}, name());
    else
      mask.reset();
    value = graph.add(std::make_unique<MergingOp>(merge_), {value, second}, shape);
  }
  if (mask && multiplies) value = filled(graph, *mask, value, 0.0f);
  graph.set_mask(value, mask);
  return value;
}

std::string Merging::class_name() const {
  switch (merge_) {
    case Merge::kAdd:
      return "Add";
    case Merge::kSubtract:
      return "Subtract";
    case Merge::kMultiply:
      return "Multiply";
    case Merge::kAverage:
      return "Average";
    case Merge::kMaximum:
      return "Maximum";
    case Merge::kMinimum:
      return "Minimum";
  }
  return "";
}

nlohmann::ordered_json Merging::config() const {
  return nlohmann::ordered_json::object();
}

}  // namespace lockstep
