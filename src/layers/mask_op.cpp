#include "src/layers/mask_op.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// Ops whose outputs are masks.
class MaskOp : public Op {
 public:
  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .passes_gradient = false};
  }
  void backward(const Pass&, const OpValues&) const final {}
};

class FeatureMaskOp final : public MaskOp {
 public:
  FeatureMaskOp(float mask_value, std::int64_t features)
      : mask_value_(mask_value), features_(features) {}

  void forward(const Pass&, const OpValues& values) const override {
    const ConstMatrix x = values.x().with_columns(features_);
    const std::span<float> y = values.y().flat();
    for (std::int64_t i = 0; i < x.rows; ++i)
      y[static_cast<std::size_t>(i)] =
          std::any_of(x.row(i), x.row(i) + features_,
                      [this](float value) { return value != mask_value_; })
              ? 1.0f
              : 0.0f;
  }

 private:
  float mask_value_;
  std::int64_t features_;
};

class OnesMaskOp final : public MaskOp {
 public:
  void forward(const Pass&, const OpValues& values) const override {
    std::ranges::fill(values.y().flat(), 1.0f);
  }
};

class MergedMaskOp final : public MaskOp {
 public:
  explicit MergedMaskOp(bool any) : any_(any) {}

  void forward(const Pass&, const OpValues& values) const override {
    const std::span<float> y = values.y().flat();
    std::ranges::copy(values.x(0).flat(), y.begin());
    for (std::size_t input = 1; input < values.inputs(); ++input) {
      const std::span<const float> x = values.x(input).flat();
      for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = any_ ? std::max(y[i], x[i]) : std::min(y[i], x[i]);
    }
  }

 private:
  bool any_;
};

class MaskCountOp final : public MaskOp {
 public:
  Needs needs() const override {
    Needs needs = MaskOp::needs();
    needs.forward_sums = 1;
    needs.forward_in_place = true;
    return needs;
  }
  void forward_sums(const Pass&, const OpValues& values, std::span<double> sums) const override {
    const std::span<const float> x = values.x().flat();
    sums[0] = std::accumulate(x.begin(), x.end(), 0.0);
  }
  void forward(const Pass&, const OpValues& values) const override {
    if (values.x().data != values.y().data) copy_values(values.x(), values.y());
  }
};

/// y = x(0) where the mask, the last input, is 1; elsewhere x(1), or a constant if there are but
/// two inputs.
class ChoiceOp final : public Op {
 public:
  ChoiceOp(std::int64_t features, float fill) : features_(features), fill_(fill) {}

  Needs needs() const override { return {.backward_reads_y = false}; }
  void forward(const Pass&, const OpValues& values) const override {
    for_positions(values, [&](std::int64_t at, bool counts) {
      float* const y = values.y().data + at;
      if (!counts && values.inputs() == 2)
        return static_cast<void>(std::fill_n(y, features_, fill_));
      std::copy_n(values.x(counts ? 0 : 1).data + at, features_, y);
    });
  }
  void backward(const Pass&, const OpValues& values) const override {
    for (std::size_t input = 0; input + 1 < values.inputs(); ++input) {
      const Matrix dx = values.dx(input);
      if (dx.empty()) continue;
      for_positions(values, [&](std::int64_t at, bool counts) {
        if (counts == (input == 0))
          std::copy_n(values.dy().data + at, features_, dx.data + at);
        else
          std::fill_n(dx.data + at, features_, 0.0f);
      });
    }
  }

 private:
  /// f(first element of a position, whether it counts).
  template <class F>
  void for_positions(const OpValues& values, const F& f) const {
    const std::span<const float> mask = values.x(values.inputs() - 1).flat();
    for (std::size_t i = 0; i < mask.size(); ++i)
      f(static_cast<std::int64_t>(i) * features_, mask[i] != 0);
  }

  std::int64_t features_;
  float fill_;
};

Shape without_last(Shape shape) {
  shape.pop_back();
  return shape;
}

std::size_t merged(Graph& graph, std::span<const std::size_t> masks, bool any,
                   const std::string& layer) {
  std::vector<std::size_t> distinct;
  for (const std::size_t mask : masks) {
    check(graph.shape(mask) == graph.shape(masks[0]), ExitCode::kBadData,
          "[{}] expected inputs whose masks have the same positions, got {} and {}", layer,
          to_string_batched(graph.shape(masks[0])), to_string_batched(graph.shape(mask)));
    if (std::ranges::find(distinct, mask) == distinct.end()) distinct.push_back(mask);
  }
  if (distinct.size() == 1) return distinct[0];
  const Shape shape = graph.shape(distinct[0]);
  return graph.add(std::make_unique<MergedMaskOp>(any), std::move(distinct), shape);
}

}  // namespace

std::size_t mask_of_ids(Graph& graph, std::size_t ids) {
  return graph.add(std::make_unique<FeatureMaskOp>(0.0f, 1), {ids}, graph.shape(ids));
}

std::size_t mask_of_features(Graph& graph, std::size_t value, float mask_value) {
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<FeatureMaskOp>(mask_value, shape.back()), {value},
                   without_last(shape));
}

std::size_t mask_of_ones(Graph& graph, std::size_t value) {
  return graph.add(std::make_unique<OnesMaskOp>(), {value}, without_last(graph.shape(value)));
}

std::size_t any_of_masks(Graph& graph, std::span<const std::size_t> masks,
                         const std::string& layer) {
  return merged(graph, masks, true, layer);
}

std::size_t all_of_masks(Graph& graph, std::span<const std::size_t> masks,
                         const std::string& layer) {
  return merged(graph, masks, false, layer);
}

std::vector<std::optional<std::size_t>> masks_of(const Graph& graph,
                                                 std::span<const std::size_t> values) {
  std::vector<std::optional<std::size_t>> masks;
  for (const std::size_t value : values) masks.push_back(graph.mask(value));
  return masks;
}

void check_mask_of(const Graph& graph, std::size_t mask, std::size_t value) {
  Shape positions = graph.shape(value);
  if (!positions.empty()) positions.pop_back();
  check(graph.shape(mask) == positions, ExitCode::kBadData,
        "[mask] expected one of each position of {}, got one of {}",
        to_string_batched(graph.shape(value)), to_string_batched(graph.shape(mask)));
}

std::size_t chosen(Graph& graph, std::size_t mask, std::size_t value, std::size_t other) {
  check_mask_of(graph, mask, value);
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<ChoiceOp>(shape.back(), 0.0f), {value, other, mask}, shape);
}

std::size_t filled(Graph& graph, std::size_t mask, std::size_t value, float fill) {
  check_mask_of(graph, mask, value);
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<ChoiceOp>(shape.back(), fill), {value, mask}, shape);
}

std::unique_ptr<Op> make_mask_count_op() {
  return std::make_unique<MaskCountOp>();
}

}  // namespace lockstep
