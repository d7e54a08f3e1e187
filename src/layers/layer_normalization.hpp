#pragma once

#include "src/layers/layer.hpp"
#include "src/layers/normalization.hpp"

namespace lockstep {

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta (Ba, Kiros and Hinton, 2016): mean and
/// (biased) variance of the elements along the last axes of each sample; gamma and beta have the
/// shape of these axes.
class LayerNormalization final : public Layer {
 public:
  struct Options : NormalizationOptions {
    std::vector<std::int64_t> axes = {-1};  ///< the last ones, in any order; the batch is 0
  };

  LayerNormalization() : LayerNormalization(Options{}) {}
  explicit LayerNormalization(Options options) : options_(std::move(options)) {}

  std::string class_name() const override { return "LayerNormalization"; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Options options_;
  Shape normalized_;
};

/// y = x / sqrt(mean of squares + epsilon) * scale, along the last axes (Zhang and Sennrich, 2019).
class RMSNormalization final : public Layer {
 public:
  explicit RMSNormalization(std::vector<std::int64_t> axes = {-1}, double epsilon = 1e-6)
      : axes_(std::move(axes)), epsilon_(epsilon) {}

  std::string class_name() const override { return "RMSNormalization"; }
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::vector<std::int64_t> axes_;
  double epsilon_;
  Shape normalized_;
};

/// y = x / max(length of x, `shortest`), along the last axes.
class UnitNormalization final : public Layer {
 public:
  /// Keras 3's shortest length is 1e-12, Keras 2's 1e-6.
  explicit UnitNormalization(std::vector<std::int64_t> axes = {-1}, double shortest = 1e-12)
      : axes_(std::move(axes)), shortest_(shortest) {}

  std::string class_name() const override { return "UnitNormalization"; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::vector<std::int64_t> axes_;
  double shortest_;
};

}  // namespace lockstep
