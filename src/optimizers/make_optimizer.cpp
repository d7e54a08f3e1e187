#include "src/optimizers/make_optimizer.hpp"

#include <fmt/ranges.h>

#include "src/core/words.hpp"
#include "src/optimizers/adam.hpp"
#include "src/optimizers/sgd.hpp"

namespace lockstep {
namespace {

template <class O>
std::unique_ptr<Optimizer> make(std::unique_ptr<Schedule> schedule, KerasConfig& config) {
  return std::make_unique<O>(std::move(schedule), read_fields(O::fields(), config));
}

/// Of a class that has kClassName, kLearningRate, Settings, fields() and a constructor from a
/// schedule and Settings.
template <class O>
KnownOptimizer known() {
  return {{lower_case(O::kClassName), O::kClassName, settings_of_fields(O::fields())},
          O::kLearningRate,
          make<O>};
}

std::unique_ptr<Schedule> read_schedule(KerasConfig& config, double absent) {
  const nlohmann::ordered_json* rate = config.find("learning_rate");
  if (rate == nullptr) rate = config.find("lr");  // of Keras before 2.3
  if (rate == nullptr) return constant_rate(absent);
  return config.convert("learning_rate", [&] { return make_schedule(*rate); });
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

const std::vector<KnownOptimizer>& known_optimizers() {
  static const std::vector<KnownOptimizer> optimizers = {
      known<Adam>(),
      known<Sgd>(),
  };
  return optimizers;
}

std::unique_ptr<Optimizer> make_optimizer(const nlohmann::ordered_json& json) {
  const KerasObject object = keras_object(json, "optimizer");
  std::vector<std::string> names;
  for (const KnownOptimizer& known : known_optimizers()) {
    if (known.name == lower_case(object.name)) {
      KerasConfig config(object.config, settings_of(known.name));
      auto optimizer = known.make(read_schedule(config, known.learning_rate), config);
      refuse_the_rest(config);
      return optimizer;
    }
    names.push_back(known.name);
  }
  fail(ExitCode::kBadData, "[optimizer] expected one of {}, got '{}'", fmt::join(names, ", "),
       object.name);
}

}  // namespace lockstep
