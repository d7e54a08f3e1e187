#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Nadam (Dozat, 2016) in Keras 3's form, whose momentum grows as beta_1 (1 - 0.96^t / 2). (Keras
/// 2's legacy optimizer has 0.96^(0.004 t); files of it, which say so by their decay, are refused.)
/// Slots: m, v.
class Nadam final : public Optimizer {
 public:
  struct Settings {
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
  };
  static constexpr const char* kClassName = "Nadam";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Nadam(std::unique_ptr<Schedule> schedule, Settings settings);

  std::string class_name() const override { return kClassName; }
  /// The product of the momenta of all updates made.
  std::optional<float> kept_scalar() const override;

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override;
  void apply_rule(const UpdateSpan& span) const override;

 private:
  Settings settings_;
  NadamScalars scalars_;
  std::int64_t multiplied_ = 0;  ///< updates whose momenta product_ has
  double product_ = 1;
};

}  // namespace lockstep
