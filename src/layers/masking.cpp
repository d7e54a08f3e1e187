#include "src/layers/masking.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// y = x where a time step has a feature that is not the mask value, else 0.
class MaskingOp final : public Op {
 public:
  MaskingOp(float mask_value, std::int64_t features)
      : mask_value_(mask_value), features_(features) {}

  Needs needs() const override { return {.backward_reads_y = false}; }
  void forward(const Pass&, const OpValues& values) const override {
    keep_steps(values.x(), values.x(), values.y());
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (!values.dx().empty()) keep_steps(values.x(), values.dy(), values.dx());
  }

 private:
  void keep_steps(ConstMatrix x, ConstMatrix from, Matrix to) const {
    x = x.with_columns(features_), from = from.with_columns(features_);
    to = to.with_columns(features_);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const bool masked = std::all_of(x.row(i), x.row(i) + features_,
                                      [this](float value) { return value == mask_value_; });
      if (masked) {
        std::fill_n(to.row(i), features_, 0.0f);
      } else {
        std::copy_n(from.row(i), features_, to.row(i));
      }
    }
  }

  float mask_value_;
  std::int64_t features_;
};

}  // namespace

std::size_t Masking::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  check(shape.size() >= 2, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, features), got {}", name(),
        to_string_batched(shape));
  const std::size_t output =
      graph.add(std::make_unique<MaskingOp>(static_cast<float>(mask_value_), shape.back()),
                {inputs[0]}, shape);
  graph.set_mask(output, name());
  return output;
}

nlohmann::ordered_json Masking::config() const {
  return {{"mask_value", mask_value_}};
}

}  // namespace lockstep
