#include "src/layers/concatenate.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "src/core/error.hpp"
#include "src/layers/axes.hpp"
#include "src/layers/mask_op.hpp"

namespace lockstep {
namespace {

/// Each sample consists of slices; a slice of y is those of the inputs side by side.
class ConcatenateOp final : public Op {
 public:
  /// `widths`: elements of each input's slices.
  explicit ConcatenateOp(std::vector<std::int64_t> widths)
      : widths_(std::move(widths)),
        width_(std::accumulate(widths_.begin(), widths_.end(), std::int64_t{0})) {}

  Needs needs() const override { return {.backward_reads_x = false, .backward_reads_y = false}; }

  void forward(const Pass&, const OpValues& values) const override {
    const Matrix y = values.y().with_columns(width_);
    std::int64_t first = 0;
    for (std::size_t input = 0; input < widths_.size(); first += widths_[input++]) {
      const ConstMatrix x = values.x(input).with_columns(widths_[input]);
      for (std::int64_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.columns, y.row(i) + first);
    }
  }

  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dy = values.dy().with_columns(width_);
    std::int64_t first = 0;
    for (std::size_t input = 0; input < widths_.size(); first += widths_[input++]) {
      if (values.dx(input).empty()) continue;
      const Matrix dx = values.dx(input).with_columns(widths_[input]);
      for (std::int64_t i = 0; i < dx.rows; ++i)
        std::copy_n(dy.row(i) + first, dx.columns, dx.row(i));
    }
  }

 private:
  std::vector<std::int64_t> widths_;
  std::int64_t width_;
};

std::size_t concatenated(Graph& graph, std::span<const std::size_t> inputs, std::size_t axis,
                         const std::string& layer) {
  const Shape first = graph.shape(inputs[0]);
  Shape output = first;
  output[axis] = 0;
  std::vector<std::int64_t> widths;
  for (const std::size_t input : inputs) {
    const Shape shape = graph.shape(input);
    Shape others = shape;
    if (axis < shape.size()) others[axis] = first[axis];
    check(others == first, ExitCode::kBadData,
          "[{}] expected inputs that differ in axis {} alone, got {} and {}", layer, axis + 1,
          to_string_batched(first), to_string_batched(shape));
    output[axis] += shape[axis];
    widths.push_back(
        element_count({shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end()}));
  }
  return graph.add(std::make_unique<ConcatenateOp>(std::move(widths)),
                   {inputs.begin(), inputs.end()}, output);
}

}  // namespace

Concatenate::Concatenate(std::int64_t axis) : axis_(axis) {
  check(axis != 0, ExitCode::kBadData,
        "[concatenate] expected an axis of a sample (1 is the first one, -1 the last one), got 0, "
        "the batch axis");
}

std::size_t Concatenate::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const std::size_t axis = sample_axis(axis_, graph.shape(inputs[0]), name());
  const std::size_t output = concatenated(graph, inputs, axis, name());
  graph.set_mask(output, mask_of(graph, inputs));
  return output;
}

/// As Keras 3; Keras 2 takes where all masks are. An input without one counts everywhere.
std::optional<std::size_t> Concatenate::mask_of(Graph& graph,
                                                std::span<const std::size_t> inputs) const {
  const auto masks = masks_of(graph, inputs);
  const auto has = [](const auto& mask) { return mask.has_value(); };
  if (std::ranges::none_of(masks, has)) return {};
  const Shape shape = graph.shape(inputs[0]);
  const std::size_t axis = sample_axis(axis_, shape, name());
  const bool of_features = axis + 1 == shape.size();
  if (of_features && !std::ranges::all_of(masks, has)) return mask_of_ones(graph, inputs[0]);
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (masks[i]) check_mask_of(graph, *masks[i], inputs[i]);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    all.push_back(masks[i] ? *masks[i] : mask_of_ones(graph, inputs[i]));
  return of_features ? any_of_masks(graph, all, name()) : concatenated(graph, all, axis, name());
}

nlohmann::ordered_json Concatenate::config() const {
  return {{"axis", axis_}};
}

}  // namespace lockstep
