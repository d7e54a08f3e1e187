#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Gradient descent with Keras's momentum: the rate is part of the velocity.
/// Slots: momentum, unless that is 0.
class Sgd final : public Optimizer {
 public:
  struct Settings {
    double momentum = 0;
    bool nesterov = false;
  };
  static constexpr const char* kClassName = "SGD";
  static constexpr double kLearningRate = 0.01;
  static std::span<const SettingField<Settings>> fields();

  Sgd(std::unique_ptr<Schedule> schedule, Settings settings)
      : Optimizer(std::move(schedule)), settings_(settings) {}

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
  bool rule_catches_up() const override { return true; }

 private:
  Settings settings_;
  SgdScalars scalars_{};
};

}  // namespace lockstep
