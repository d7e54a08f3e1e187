#pragma once

#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// LAMB (You et al., arXiv 1904.00962) as Keras 3's Lamb: what Adam, with both corrections, would
/// move a weight by, times norm(weights) / norm(moves) of the parameter. Weights decay before, as
/// with every optimizer of Keras. Slots: m, v.
class Lamb final : public Optimizer {
 public:
  struct Settings {
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
  };
  static constexpr const char* kClassName = "Lamb";
  static constexpr double kLearningRate = 0.001;
  static std::span<const SettingField<Settings>> fields();

  Lamb(std::unique_ptr<Schedule> schedule, Settings settings)
      : Optimizer(std::move(schedule)), settings_(settings) {}

  std::string class_name() const override { return kClassName; }
  bool has_ratios() const override { return true; }
  /// 1 where one of the norms is 0.
  float ratio_of(double weights, double moves) const override;

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t t) override;
  std::vector<std::string> rule_slots() const override { return {"m", "v"}; }
  void begin_rule(const UpdateSpan& block, TrustSums& sums) const override;
  void apply_rule(const UpdateSpan& span) const override;

 private:
  float move(float momentum, float velocity) const;

  Settings settings_;
  float rate_ = 0;
  float momentum_left_ = 1, velocity_left_ = 1;  ///< 1 - beta^t
};

}  // namespace lockstep
