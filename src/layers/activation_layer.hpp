#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// An activation as a layer of its own: Keras's Activation(name), and its layers ReLU, LeakyReLU,
/// ELU and Softmax with their settings.
class ActivationLayer final : public Layer {
 public:
  explicit ActivationLayer(Activation activation) : ActivationLayer("Activation", activation) {}
  /// `class_name`: Keras's; `axis`: Softmax's, which must be the last one: -1, or its number with
  /// the batch axis counted.
  ActivationLayer(std::string class_name, const ActivationFunction& function,
                  std::int64_t axis = -1);

  std::string class_name() const override { return class_name_; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return function_.kind; }
  OnMask on_mask() const override {
    return class_name_ == "Softmax" ? OnMask::kRefuses : OnMask::kCarries;
  }

  const ActivationFunction& function() const { return function_; }

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::string class_name_;
  ActivationFunction function_;
  std::int64_t axis_;
};

}  // namespace lockstep
