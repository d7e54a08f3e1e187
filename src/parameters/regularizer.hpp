#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

namespace lockstep {

/// Keras's L1, L2 and L1L2: penalty(w) = l1 * sum |w| + l2 * sum w^2 (no factor 1/2).
struct Regularizer {
  float l1 = 0;
  float l2 = 0;

  bool active() const { return l1 != 0 || l2 != 0; }
  /// In double, in fixed blocks of 4096 elements, by the 16 lanes of Kernels.
  double penalty(std::span<const float> weights) const;
  /// gradient += l1 * sign(w) + 2 * l2 * w; sign(0) = 0.
  void add_gradient(std::span<const float> weights, std::span<float> gradient) const;
  /// null, or {"class_name": "L2", "config": {"l2": 0.01}}.
  nlohmann::ordered_json to_json() const;
};

/// From null, a Keras name ("l2") or {"class_name", "config"}. Throws Error (65) by name otherwise.
Regularizer make_regularizer(const nlohmann::ordered_json& json);

}  // namespace lockstep
