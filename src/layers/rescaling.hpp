#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = x * scale + offset, in float32. As a network's first layer it is left to whoever fills in
/// the input, who touches every number anyway: Graph::input_scaling().
class Rescaling final : public Layer {
 public:
  explicit Rescaling(double scale, double offset = 0.0) : scale_(scale), offset_(offset) {}

  std::string class_name() const override { return "Rescaling"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double scale_;
  double offset_;
};

}  // namespace lockstep
