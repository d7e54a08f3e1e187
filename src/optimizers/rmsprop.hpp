#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// RMSprop (Hinton's lecture 6e) in Keras 3's form: epsilon is added under the root. (Keras 2's
/// legacy optimizer adds it behind, unless there is momentum.)
/// Slots: rms, the mean of squares; momentum, unless that is 0; mg, the mean, if centered.
class Rmsprop final : public Optimizer {
 public:
  struct Settings {
    double rho = 0.9;
    double momentum = 0;
    double epsilon = 1e-7;
    bool centered = false;
  };
  static constexpr const char* kClassName = "RMSprop";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Rmsprop(std::unique_ptr<Schedule> schedule, Settings settings);

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
  bool rule_catches_up() const override;

 private:
  void apply(const UpdateSpan& span, const RmspropScalars& scalars) const;

  Settings settings_;
  RmspropScalars scalars_;
};

}  // namespace lockstep
