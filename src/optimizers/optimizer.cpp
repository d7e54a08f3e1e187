#include "src/optimizers/optimizer.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_object.hpp"

namespace lockstep {
nlohmann::ordered_json Optimizer::to_json() const {
  nlohmann::ordered_json config = {{"name", class_name()}, {"learning_rate", schedule().to_json()}};
  write_settings(config);
  return {{"class_name", class_name()}, {"config", std::move(config)}};
}

void Optimizer::begin_step() {
  const auto rate = static_cast<float>(learning_rate());
  ++iterations_;
  prepare(rate, iterations_);
}

double Optimizer::learning_rate() const {
  return schedule_->rate(iterations_);
}

void Optimizer::set_learning_rate(double rate) {
  const nlohmann::ordered_json json = schedule_->to_json();
  if (!json.is_number()) {
    fail(ExitCode::kUsage,
         "[{}] expected a constant learning rate, which can be set, got a schedule: {}",
         class_name(), describe(json["class_name"]));
  }
  schedule_ = constant_rate(rate);
}

}  // namespace lockstep
