#include "src/optimizers/optimizer.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/optimizers/adam.hpp"
#include "src/optimizers/sgd.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Schedule> read_schedule(KerasConfig& config, double absent) {
  const nlohmann::ordered_json* rate = config.find("learning_rate");
  if (rate == nullptr) rate = config.find("lr");  // of Keras before 2.3
  if (rate == nullptr) return constant_rate(absent);
  return config.convert("learning_rate", [&] { return make_schedule(*rate); });
}

std::unique_ptr<Optimizer> make_adam(KerasConfig& config) {
  auto schedule = read_schedule(config, 0.001);
  Adam::Settings settings;
  settings.beta_1 = config.number("beta_1", settings.beta_1, kFraction);
  settings.beta_2 = config.number("beta_2", settings.beta_2, kFraction);
  settings.epsilon = config.number("epsilon", settings.epsilon, kNotNegative);
  settings.amsgrad = config.boolean("amsgrad", settings.amsgrad);
  return std::make_unique<Adam>(std::move(schedule), settings);
}

std::unique_ptr<Optimizer> make_sgd(KerasConfig& config) {
  auto schedule = read_schedule(config, 0.01);
  Sgd::Settings settings;
  settings.momentum = config.number("momentum", settings.momentum, kUpToOne);
  settings.nesterov = config.boolean("nesterov", settings.nesterov);
  return std::make_unique<Sgd>(std::move(schedule), settings);
}

/// Keras's settings of every optimizer that Lockstep lacks must be off.
void refuse_the_rest(KerasConfig& config) {
  config.ignore({"name", "jit_compile", "is_legacy_optimizer"});
  config.ignore({"ema_momentum", "ema_overwrite_frequency"});  // without use_ema
  for (const char* key : {"clipnorm", "global_clipnorm", "clipvalue"}) config.expect(key, nullptr);
  config.expect_one_of("weight_decay", {nullptr, 0, false});
  config.expect_one_of("decay", {nullptr, 0});
  config.expect("use_ema", false);
  config.expect_one_of("loss_scale_factor", {nullptr, 1});
  config.expect_one_of("gradient_accumulation_steps", {nullptr, 1});
  config.finish();
}

}  // namespace

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

std::unique_ptr<Optimizer> make_optimizer(const nlohmann::ordered_json& json) {
  const KerasObject object = keras_object(json, "optimizer");
  const bool adam = object.name == "adam" || object.name == "Adam";
  const bool sgd = object.name == "sgd" || object.name == "SGD";
  check(adam || sgd, ExitCode::kBadData, "[optimizer] expected one of adam, sgd, got '{}'",
        object.name);
  KerasConfig config(object.config, settings_of(adam ? "adam" : "sgd"));
  auto optimizer = adam ? make_adam(config) : make_sgd(config);
  refuse_the_rest(config);
  return optimizer;
}

}  // namespace lockstep
