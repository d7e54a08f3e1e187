#include "src/layers/rescaling.hpp"

#include <nlohmann/json.hpp>

#include "src/kernels/kernels.hpp"

namespace lockstep {

void Rescaling::forward(const Pass&, ConstMatrix x, Matrix y, std::span<float>) const {
  kernels().scale_shift(x.data, y.data, x.size(), scaling().scale, scaling().offset);
}

void Rescaling::backward(const Pass&, ConstMatrix, ConstMatrix, Matrix dy, Matrix dx,
                         std::span<const float>) const {
  if (dx.empty()) return;
  kernels().scale_shift(dy.data, dx.data, dy.size(), static_cast<float>(scale_), 0.0f);
}

nlohmann::ordered_json Rescaling::config() const {
  return {{"scale", scale_}, {"offset", offset_}};
}

}  // namespace lockstep
