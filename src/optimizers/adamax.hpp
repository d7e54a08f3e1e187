#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Adamax (Kingma and Ba, arXiv 1412.6980, section 7.1).
/// Slots: m, and v for the largest of fading gradients, Keras 3's norm u.
class Adamax final : public Optimizer {
 public:
  struct Settings {
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
  };
  static constexpr const char* kClassName = "Adamax";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Adamax(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override;
  void apply_rule(const UpdateSpan& span) const override;

 private:
  Settings settings_;
  AdamaxScalars scalars_;
};

}  // namespace lockstep
