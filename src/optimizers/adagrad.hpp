#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Adagrad (Duchi, Hazan and Singer, 2011) in Keras 3's form: epsilon is added under the root.
/// (Keras 2's legacy optimizer adds it behind.) Slots: accumulator, the sum of squares from
/// initial_accumulator_value on.
class Adagrad final : public Optimizer {
 public:
  struct Settings {
    double initial_accumulator_value = 0.1;
    double epsilon = 1e-7;
  };
  static constexpr const char* kClassName = "Adagrad";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Adagrad(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }
  float step_scalar() const override { return rate_; }
  void idle(const UpdateSpan& span, std::span<const float> scalars) const override;
  bool settled(const UpdateSpan& span, float most, std::int64_t steps) const override;
  void decay(const UpdateSpan&, std::int64_t) const override {}

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override;
  void apply_rule(const UpdateSpan& span) const override;
  float rule_slot_start(std::size_t slot) const override;
  bool rule_catches_up() const override { return epsilon_ >= kEpsilonCounts; }

 private:
  void apply(const UpdateSpan& span, float rate) const;

  Settings settings_;
  float epsilon_;
  float rate_ = 0;
};

}  // namespace lockstep
