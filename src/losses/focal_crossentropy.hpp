#pragma once

#include "src/losses/loss.hpp"

namespace lockstep {

/// Keras's settings of the focal cross-entropies (Lin et al., arXiv 1708.02002).
struct FocalSettings {
  double alpha = 0.25;
  double gamma = 2;  ///< >= 0
  bool from_logits = false;
  double label_smoothing = 0;
  bool apply_class_balancing = false;  ///< of the binary one: alpha counts
};

/// Targets: K numbers in [0, 1]. The mean over them of (1 - p_t)^gamma times the binary
/// cross-entropy, p_t = t p + (1 - t) (1 - p); times t alpha + (1 - t) (1 - alpha) if classes are
/// balanced.
class BinaryFocalCrossentropy final : public Loss {
 public:
  explicit BinaryFocalCrossentropy(FocalSettings settings = {}) : settings_(settings) {}

  std::string name() const override { return "binary_focal_crossentropy"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  bool fuses(Activation activation) const override { return activation == Activation::kSigmoid; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  FocalSettings settings_;
};

/// Targets: a distribution over the K classes. The sum of alpha (1 - q)^gamma (-t log q), where q
/// is p over their sum, clipped; as in Keras from the probabilities, also of logits.
class CategoricalFocalCrossentropy final : public Loss {
 public:
  explicit CategoricalFocalCrossentropy(FocalSettings settings = {}) : settings_(settings) {}

  std::string name() const override { return "categorical_focal_crossentropy"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  FocalSettings settings_;
};

}  // namespace lockstep
