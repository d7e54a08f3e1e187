#pragma once

#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// LARS (You, Gitman and Ginsburg, arXiv 1708.03888, algorithm 1), as TensorFlow's model garden has
/// it, for every parameter:
///
///   ratio = trust_coefficient * norm(w) / (norm(g) + weight_decay_rate * norm(w)), 1 if one is 0
///   velocity = momentum * velocity + ratio * rate * (g + weight_decay_rate * w);  w -= velocity
///
/// Keras has no such class: its files open with compile=False. Slots: momentum.
class Lars final : public Optimizer {
 public:
  struct Settings {
    double momentum = 0.9;
    double trust_coefficient = 0.001;
    double weight_decay_rate = 0;  ///< within the ratio, unlike the weight_decay that all have
  };
  static constexpr const char* kClassName = "LARS";
  static constexpr double kLearningRate = 1;
  static std::span<const SettingField<Settings>> fields();

  Lars(std::unique_ptr<Schedule> schedule, Settings settings)
      : Optimizer(std::move(schedule)), settings_(settings) {}

  std::string class_name() const override { return kClassName; }
  bool has_ratios() const override { return true; }
  float ratio_of(double weights, double moves) const override;

 protected:
  void write_settings(nlohmann::ordered_json& config) const override {
    write_fields(fields(), settings_, config);
  }
  void prepare(float rate, std::int64_t) override { rate_ = rate; }
  std::vector<std::string> rule_slots() const override { return {"momentum"}; }
  void begin_rule(const UpdateSpan& block, TrustSums& sums) const override;
  void apply_rule(const UpdateSpan& span) const override;

 private:
  Settings settings_;
  float rate_ = 0;
};

}  // namespace lockstep
