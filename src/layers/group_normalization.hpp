#pragma once

#include "src/layers/layer.hpp"
#include "src/layers/normalization.hpp"

namespace lockstep {

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta (Wu and He, 2018): mean and (biased)
/// variance of each sample's elements in a group of consecutive channels, at all positions.
/// x: (batch, ..., channels), gamma and beta: (channels).
class GroupNormalization final : public Layer {
 public:
  struct Options : NormalizationOptions {
    std::int64_t groups = 32;  ///< -1: a group for each channel
    std::int64_t axis = -1;    ///< or the number of the last one; the batch is 0
  };

  GroupNormalization() : GroupNormalization(Options{}) {}
  explicit GroupNormalization(Options options) : options_(std::move(options)) {}

  std::string class_name() const override { return "GroupNormalization"; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  void check_input(const Shape& input) const;

  Options options_;
  std::int64_t channels_ = 0;
};

}  // namespace lockstep
