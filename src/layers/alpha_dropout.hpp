#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// For networks of selu: in training an element becomes selu's lowest value with probability
/// `rate`, and an affine function behind that gives mean 0 and variance 1 back (Klambauer et al.,
/// NIPS 2017).
class AlphaDropout final : public Layer {
 public:
  explicit AlphaDropout(double rate);  ///< 0 <= rate < 1, else Error (65)

  std::string class_name() const override { return "AlphaDropout"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double rate_;
};

}  // namespace lockstep
