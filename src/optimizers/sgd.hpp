#pragma once

#include "src/kernels/kernels.hpp"
#include "src/optimizers/optimizer.hpp"

namespace lockstep {

/// Gradient descent with Keras's momentum: the rate is part of the velocity (keras-semantics 4.3).
/// Slots: momentum, unless that is 0.
class Sgd final : public Optimizer {
 public:
  struct Settings {
    double momentum = 0;
    bool nesterov = false;
  };
  Sgd(std::unique_ptr<Schedule> schedule, Settings settings)
      : Optimizer(std::move(schedule)), settings_(settings) {}

  std::string class_name() const override { return "SGD"; }
  nlohmann::ordered_json to_json() const override;
  std::vector<std::string> slot_names() const override;
  void update(const UpdateSpan& span) const override;

 protected:
  void prepare(float rate, std::int64_t t) override;

 private:
  Settings settings_;
  SgdScalars scalars_{};
};

}  // namespace lockstep
