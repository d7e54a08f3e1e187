#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Follow the regularized leader (McMahan et al., 2013) in Keras's form. Note that a weight without
/// gradients becomes 0: what it began with is forgotten.
/// Slots: accumulator, the sum of squares from initial_accumulator_value on; linear.
class Ftrl final : public Optimizer {
 public:
  struct Settings {
    double learning_rate_power = -0.5;
    double initial_accumulator_value = 0.1;
    double l1_regularization_strength = 0;
    double l2_regularization_strength = 0;
    double l2_shrinkage_regularization_strength = 0;
    double beta = 0;
  };
  static constexpr const char* kClassName = "Ftrl";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Ftrl(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override;
  void apply_rule(const UpdateSpan& span) const override;
  float rule_slot_start(std::size_t slot) const override;

 private:
  Settings settings_;
  FtrlScalars scalars_{};
};

}  // namespace lockstep
