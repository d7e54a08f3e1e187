#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// A loss returns sums, never means: sums over rows on any number of ranks add up, and are divided
/// once by the number of positions (Keras's reduction "sum_over_batch_size").
class Loss {
 public:
  virtual ~Loss() = default;

  virtual std::string name() const = 0;  ///< Keras's: "sparse_categorical_crossentropy"
  /// The name, or {"class_name": "Huber", "config": {"delta": 2.0}} if it has other than default
  /// settings, as it stands in Keras's training_config.
  virtual nlohmann::ordered_json to_json() const = 0;
  virtual TargetKind target_kind() const = 0;

  /// Whether this loss computes the network's final activation itself, from the logits, as Keras
  /// does on TensorFlow (no clipping, stable).
  virtual bool fuses(Activation) const { return false; }

  /// outputs: (positions, K). If `fused` they come in as logits and leave as predictions.
  /// Unless `gradient` is empty it becomes scale * d(sum of losses)/d(outputs) - by the logits if
  /// fused. Returns the sum of the positions' losses in double, added in order.
  virtual double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                         bool fused) const = 0;
};

/// From a Keras name or alias ("mse") or {"class_name", "config"}; known_losses() are their names.
/// Throws Error (65), naming it, for another one or for a setting that Lockstep lacks.
std::unique_ptr<Loss> make_loss(const std::string& name);
std::unique_ptr<Loss> make_loss(const nlohmann::ordered_json& json);
std::vector<std::string> known_losses();

}  // namespace lockstep
