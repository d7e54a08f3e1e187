#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Adam (Kingma and Ba, arXiv 1412.6980) in Keras's form: epsilon is added to the root of the
/// uncorrected v, the "epsilon hat" of the paper.
/// Slots: m, v, and vhat for AMSGrad.
class Adam : public Optimizer {
 public:
  struct Settings {
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    bool amsgrad = false;
  };
  static constexpr const char* kClassName = "Adam";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Adam(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }
  float step_scalar() const override { return scalars_.alpha; }
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
  Settings settings_;
  AdamScalars scalars_;
};

/// Adam with weight decay (Loshchilov and Hutter, arXiv 1711.05101), as all optimizers may have it.
class AdamW final : public Adam {
 public:
  static constexpr const char* kClassName = "AdamW";
  static constexpr double kWeightDecay = 0.004;
  using Adam::Adam;

  std::string class_name() const override { return kClassName; }
};

}  // namespace lockstep
