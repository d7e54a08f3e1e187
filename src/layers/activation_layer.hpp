#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Keras's Activation(name): an activation as a layer of its own.
class ActivationLayer final : public Layer {
 public:
  explicit ActivationLayer(Activation activation);

  std::string class_name() const override { return "Activation"; }
  Shape build(const Shape& input) override;
  void forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const override;
  void backward(const Pass& pass, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                std::span<const float> kept) const override;
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }
  void leave_activation_to_loss(bool leave) override { left_out_ = leave; }

 private:
  Activation activation_;
  std::int64_t last_axis_ = 0;
  bool left_out_ = false;
};

}  // namespace lockstep
