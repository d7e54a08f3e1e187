#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Adadelta (Zeiler, arXiv 1212.5701).
/// Slots: accum_grad and accum_var, the means of the squares of gradients and of changes.
class Adadelta final : public Optimizer {
 public:
  struct Settings {
    double rho = 0.95;
    double epsilon = 1e-7;
  };
  static constexpr const char* kClassName = "Adadelta";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Adadelta(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }
  float step_scalar() const override { return scalars_.rate; }
  void idle(const UpdateSpan& span, std::span<const float> scalars) const override;
  bool settled(const UpdateSpan& span, float most, std::int64_t steps) const override;
  void decay(const UpdateSpan& span, std::int64_t steps) const override;

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override;
  void apply_rule(const UpdateSpan& span) const override;
  bool rule_catches_up() const override { return scalars_.epsilon >= kEpsilonCounts; }

 private:
  void apply(const UpdateSpan& span, const AdadeltaScalars& scalars) const;

  Settings settings_;
  AdadeltaScalars scalars_;
};

}  // namespace lockstep
