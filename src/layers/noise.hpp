#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// In training y = x + noise of mean 0. The noise is a function of seed, step, position in the
/// global batch, layer and element.
class GaussianNoise final : public Layer {
 public:
  explicit GaussianNoise(double stddev);  ///< at least 0, else Error (65)

  std::string class_name() const override { return "GaussianNoise"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double stddev_;
};

/// In training y = x * noise of mean 1 and variance rate / (1 - rate), which is that of Dropout's
/// mask.
class GaussianDropout final : public Layer {
 public:
  explicit GaussianDropout(double rate);  ///< 0 <= rate < 1, else Error (65)

  std::string class_name() const override { return "GaussianDropout"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double rate_;
};

}  // namespace lockstep
