#include "src/layers/activation_layer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {

ActivationLayer::ActivationLayer(Activation activation) : activation_(activation) {}

Shape ActivationLayer::build(const Shape& input) {
  check(activation_ != Activation::kSoftmax || !input.empty(), ExitCode::kBadData,
        "[{}] softmax expected an input with an axis to sum over, got {}", name(),
        to_string_batched(input));
  last_axis_ = input.empty() ? 1 : input.back();
  return input;
}

void ActivationLayer::forward(const Pass&, ConstMatrix x, Matrix y, std::span<float>) const {
  std::copy_n(x.data, x.size(), y.data);
  if (!left_out_) activate(activation_, y.with_columns(last_axis_));
}

void ActivationLayer::backward(const Pass&, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                               std::span<const float>) const {
  if (dx.empty()) return;
  if (!left_out_)
    activation_backward(activation_, y.with_columns(last_axis_), x.with_columns(last_axis_),
                        dy.with_columns(last_axis_));
  std::copy_n(dy.data, dy.size(), dx.data);
}

nlohmann::ordered_json ActivationLayer::config() const {
  return {{"activation", activation_name(activation_)}};
}

}  // namespace lockstep
