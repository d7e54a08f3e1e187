#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// Zeroes each time step all of whose features are `mask_value`, and masks it.
class Masking final : public Layer {
 public:
  explicit Masking(double mask_value = 0.0) : mask_value_(mask_value) {}

  std::string class_name() const override { return "Masking"; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double mask_value_;
};

}  // namespace lockstep
