#pragma once

#include "src/losses/loss.hpp"

namespace lockstep {

/// Keras's settings of the cross-entropies. `from_logits`: the network's outputs are logits and
/// stay so; it changes nothing where the final activation is fused.
struct CrossentropySettings {
  bool from_logits = false;
  double label_smoothing = 0;
};

/// Keras's three cross-entropies, in the form that Keras 3 has on TensorFlow:
/// from the logits without clipping, or from probabilities clipped to [1e-7, 1 - 1e-7].

/// Targets: class indices; one that is not in [0, K) is an error (65). No label smoothing.
class SparseCategoricalCrossentropy final : public Loss {
 public:
  explicit SparseCategoricalCrossentropy(bool from_logits = false) : from_logits_(from_logits) {}

  std::string name() const override { return "sparse_categorical_crossentropy"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kClasses; }
  bool fuses(Activation activation) const override { return activation == Activation::kSoftmax; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  bool from_logits_;
};

/// Targets: a distribution over the K classes.
class CategoricalCrossentropy final : public Loss {
 public:
  explicit CategoricalCrossentropy(CrossentropySettings settings = {}) : settings_(settings) {}

  std::string name() const override { return "categorical_crossentropy"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  bool fuses(Activation activation) const override { return activation == Activation::kSoftmax; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  CrossentropySettings settings_;
};

/// Targets: K numbers in [0, 1]; the mean over them.
class BinaryCrossentropy final : public Loss {
 public:
  explicit BinaryCrossentropy(CrossentropySettings settings = {}) : settings_(settings) {}

  std::string name() const override { return "binary_crossentropy"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  bool fuses(Activation activation) const override { return activation == Activation::kSigmoid; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  CrossentropySettings settings_;
};

}  // namespace lockstep
