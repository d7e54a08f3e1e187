#pragma once

#include "src/losses/loss.hpp"

namespace lockstep {

/// Keras's losses of d = prediction - target, the mean over a position's K numbers.

/// d^2
class MeanSquaredError final : public Loss {
 public:
  std::string name() const override { return "mean_squared_error"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;
};

/// |d|; the derivative at 0 is 0.
class MeanAbsoluteError final : public Loss {
 public:
  std::string name() const override { return "mean_absolute_error"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;
};

/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
class Huber final : public Loss {
 public:
  explicit Huber(double delta = 1) : delta_(delta) {}

  std::string name() const override { return "huber"; }
  nlohmann::ordered_json to_json() const override;
  TargetKind target_kind() const override { return TargetKind::kValues; }
  double compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                 bool fused) const override;

 private:
  double delta_;
};

}  // namespace lockstep
