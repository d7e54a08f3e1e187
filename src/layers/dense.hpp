#pragma once

#include <memory>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = activation(x W + b), over the last axis.  x: (batch, ..., in), W: (in, units), b: (units),
/// y: (batch, ..., units).
class Dense final : public Layer {
 public:
  struct Options {
    bool use_bias = true;
    std::shared_ptr<const Initializer> kernel_initializer =
        make_initializer(std::string("glorot_uniform"));
    std::shared_ptr<const Initializer> bias_initializer = make_initializer(std::string("zeros"));
    Regularizer kernel_regularizer = {};
    Regularizer bias_regularizer = {};
  };

  explicit Dense(std::int64_t units, Activation activation = Activation::kLinear);
  Dense(std::int64_t units, Activation activation, Options options);

  std::string class_name() const override { return "Dense"; }
  Shape build(const Shape& input) override;
  void forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const override;
  void backward(const Pass& pass, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                std::span<const float> kept) const override;
  void gradient(const Pass& pass, ConstMatrix x, ConstMatrix dy, std::size_t parameter,
                Range elements, float* out) const override;
  Range gradient_columns(std::size_t parameter, Range elements,
                         std::int64_t columns) const override;
  std::int64_t kept_per_row() const override;
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }
  void leave_activation_to_loss(bool leave) override { activation_left_out_ = leave; }

 private:
  std::int64_t units_;
  Activation activation_;
  Options options_;
  std::int64_t inputs_ = 0;
  std::int64_t positions_ = 1;  ///< rows of W's input in one sample
  bool activation_left_out_ = false;
};

}  // namespace lockstep
