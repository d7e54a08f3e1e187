#include "src/optimizers/optimizer.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/optimizers/adam.hpp"
#include "src/optimizers/sgd.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Schedule> read_schedule(ConfigReader& config, double absent) {
  const nlohmann::ordered_json* rate = config.find("learning_rate");
  if (rate == nullptr) rate = config.find("lr");  // of Keras before 2.3
  return rate == nullptr ? constant_rate(absent) : make_schedule(*rate);
}

double read_beta(ConfigReader& config, const char* key, double absent) {
  const double value = config.number(key, absent);
  check(value >= 0 && value < 1, ExitCode::kBadData, "[{}] expected \"{}\" in [0, 1), got {}",
        config.where(), key, value);
  return value;
}

std::unique_ptr<Optimizer> make_adam(ConfigReader& config) {
  auto schedule = read_schedule(config, 0.001);
  Adam::Settings settings;
  settings.beta_1 = read_beta(config, "beta_1", settings.beta_1);
  settings.beta_2 = read_beta(config, "beta_2", settings.beta_2);
  settings.epsilon = config.number("epsilon", settings.epsilon);
  check(settings.epsilon >= 0, ExitCode::kBadData,
        "[{}] expected \"epsilon\" of at least 0, got {}", config.where(), settings.epsilon);
  settings.amsgrad = config.flag("amsgrad", settings.amsgrad);
  return std::make_unique<Adam>(std::move(schedule), settings);
}

std::unique_ptr<Optimizer> make_sgd(ConfigReader& config) {
  auto schedule = read_schedule(config, 0.01);
  Sgd::Settings settings;
  settings.momentum = config.number("momentum", settings.momentum);
  check(settings.momentum >= 0 && settings.momentum <= 1, ExitCode::kBadData,
        "[{}] expected \"momentum\" in [0, 1], got {}", config.where(), settings.momentum);
  settings.nesterov = config.flag("nesterov", settings.nesterov);
  return std::make_unique<Sgd>(std::move(schedule), settings);
}

/// Keras's settings of every optimizer that Lockstep lacks must be off.
void refuse_the_rest(ConfigReader& config) {
  config.ignore({"name", "jit_compile", "is_legacy_optimizer"});
  config.ignore({"ema_momentum", "ema_overwrite_frequency"});  // without use_ema
  for (const char* key : {"clipnorm", "global_clipnorm", "clipvalue"}) config.only(key, {nullptr});
  config.only("weight_decay", {nullptr, 0, false});
  config.only("decay", {0, nullptr});
  config.only("use_ema", {false});
  config.only("loss_scale_factor", {nullptr, 1});
  config.only("gradient_accumulation_steps", {nullptr, 1});
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
         class_name(), short_text(json["class_name"]));
  }
  schedule_ = constant_rate(rate);
}

std::unique_ptr<Optimizer> make_optimizer(const nlohmann::ordered_json& json) {
  const KerasObject object = keras_object(json, "optimizer");
  const bool adam = object.name == "adam" || object.name == "Adam";
  const bool sgd = object.name == "sgd" || object.name == "SGD";
  check(adam || sgd, ExitCode::kBadData, "[optimizer] expected one of adam, sgd, got '{}'",
        object.name);
  ConfigReader config(adam ? "adam" : "sgd", object.config);
  auto optimizer = adam ? make_adam(config) : make_sgd(config);
  refuse_the_rest(config);
  return optimizer;
}

}  // namespace lockstep
