#pragma once

#include "src/layers/layer.hpp"
#include "src/layers/normalization.hpp"

namespace lockstep {

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta for each channel, the last axis (Ioffe
/// and Szegedy, 2015). In training the mean and the (biased) variance are those of the global
/// batch, on any number of ranks, and moving_mean and moving_variance come nearer to them: as Keras
/// 3 does for every rank of input. In inference (and in a use as in inference), and if the layer is
/// frozen, the moving ones are used and stay as they are. Positions that are masked do not count
/// for the batch's. x: (batch, ..., channels); gamma, beta, moving_mean, moving_variance:
/// (channels).
class BatchNormalization final : public Layer {
 public:
  struct Options : NormalizationOptions {
    std::int64_t axis = -1;  ///< or the number of the last one; of another one, channels_first()
    double momentum = 0.99;  ///< moving = moving * momentum + batch * (1 - momentum)
    std::shared_ptr<const Initializer> moving_mean_initializer =
        make_initializer(std::string("zeros"));
    std::shared_ptr<const Initializer> moving_variance_initializer =
        make_initializer(std::string("ones"));
  };

  BatchNormalization() : BatchNormalization(Options{}) {}
  explicit BatchNormalization(Options options) : options_(std::move(options)) {}

  std::string class_name() const override { return "BatchNormalization"; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  void check_input(const Shape& input) const;

  Options options_;
  std::int64_t channels_ = 0;
  bool inference_ = false;  ///< of its first call
};

}  // namespace lockstep
