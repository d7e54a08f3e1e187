#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Adam (Kingma and Ba, arXiv 1412.6980) in Keras's form: epsilon is added to the root of the
/// uncorrected v, the "epsilon hat" of the paper.
/// Slots: m, v, and vhat for AMSGrad.
class Adam final : public Optimizer {
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
  std::vector<std::string> slot_names() const override;
  void update(const UpdateSpan& span) const override;
  bool catches_up() const override;
  float step_scalar() const override { return scalars_.alpha; }
  void idle(const UpdateSpan& span, std::span<const float> scalars) const override;
  bool settled(const UpdateSpan& span, float most, std::int64_t steps) const override;
  void decay(const UpdateSpan& span, std::int64_t steps) const override;

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;

 private:
  Settings settings_;
  AdamScalars scalars_;
};

}  // namespace lockstep
