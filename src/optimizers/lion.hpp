#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Lion (Chen et al., arXiv 2302.06675): every weight moves by the rate, in the direction of the
/// sign. Slots: momentum.
class Lion final : public Optimizer {
 public:
  struct Settings {
    double beta_1 = 0.9;  ///< > 0
    double beta_2 = 0.99;
  };
  static constexpr const char* kClassName = "Lion";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Lion(std::unique_ptr<Schedule> schedule, Settings settings);

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
  LionScalars scalars_;
};

}  // namespace lockstep
