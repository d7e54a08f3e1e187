#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// In training each element is kept with probability 1 - rate and scaled by 1 / (1 - rate), else
/// zero (Srivastava et al., JMLR 2014, inverted). The mask is a function of seed, step, position in
/// the global batch, layer and element: the same on any number of ranks.
class Dropout final : public Layer {
 public:
  explicit Dropout(double rate);  ///< 0 <= rate <= 1, else Error (65)

  std::string class_name() const override { return "Dropout"; }
  Shape build(const Shape& input) override;
  void forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const override;
  void backward(const Pass& pass, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                std::span<const float> kept) const override;
  std::int64_t kept_per_row() const override { return elements_; }
  nlohmann::ordered_json config() const override;

 private:
  double rate_;
  std::int64_t elements_ = 0;
};

}  // namespace lockstep
