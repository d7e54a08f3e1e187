#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = x * scale + offset, in float32.
struct Scaling {
  float scale = 1;
  float offset = 0;
  bool changes_nothing() const { return scale == 1 && offset == 0; }
};

/// The same as a layer. As a network's first one it may be left to whoever fills in the input, who
/// touches every number anyway: Sequential::input_scaling().
class Rescaling final : public Layer {
 public:
  explicit Rescaling(double scale, double offset = 0.0) : scale_(scale), offset_(offset) {}

  std::string class_name() const override { return "Rescaling"; }
  Shape build(const Shape& input) override { return input; }
  void forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const override;
  void backward(const Pass& pass, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                std::span<const float> kept) const override;
  nlohmann::ordered_json config() const override;
  Scaling scaling() const { return {static_cast<float>(scale_), static_cast<float>(offset_)}; }

 private:
  double scale_;
  double offset_;
};

}  // namespace lockstep
