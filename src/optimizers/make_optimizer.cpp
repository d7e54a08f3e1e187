#include "src/optimizers/make_optimizer.hpp"

#include <fmt/ranges.h>

#include "src/core/words.hpp"
#include "src/optimizers/adadelta.hpp"
#include "src/optimizers/adagrad.hpp"
#include "src/optimizers/adam.hpp"
#include "src/optimizers/adamax.hpp"
#include "src/optimizers/ftrl.hpp"
#include "src/optimizers/lamb.hpp"
#include "src/optimizers/lars.hpp"
#include "src/optimizers/lion.hpp"
#include "src/optimizers/nadam.hpp"
#include "src/optimizers/rmsprop.hpp"
#include "src/optimizers/sgd.hpp"

namespace lockstep {
namespace {

template <class O>
CommonSettings common_of() {
  CommonSettings settings;
  if constexpr (requires { O::kWeightDecay; }) settings.weight_decay = O::kWeightDecay;
  return settings;
}

template <class O>
std::unique_ptr<Optimizer> make(std::unique_ptr<Schedule> schedule, KerasConfig& config) {
  auto optimizer = std::make_unique<O>(std::move(schedule), read_fields(O::fields(), config));
  optimizer->set_common(read_common(common_of<O>(), config), common_of<O>());
  return optimizer;
}

/// Of a class that has kClassName, kLearningRate, Settings, fields() and a constructor from a
/// schedule and Settings; and kWeightDecay, unless that is 0.
template <class O>
KnownOptimizer known() {
  std::vector<Setting> settings = settings_of_fields(O::fields());
  for (Setting& setting : settings_of_fields(common_fields(), common_of<O>()))
    settings.push_back(std::move(setting));
  return {
      {lower_case(O::kClassName), O::kClassName, std::move(settings)}, O::kLearningRate, make<O>};
}

std::unique_ptr<Schedule> read_schedule(KerasConfig& config, double absent) {
  const nlohmann::ordered_json* rate = config.find("learning_rate");
  if (rate == nullptr) rate = config.find("lr");  // of Keras before 2.3
  if (rate == nullptr) return constant_rate(absent);
  return config.convert("learning_rate", [&] { return make_schedule(*rate); });
}

/// What Lockstep lacks must be off.
void refuse_the_rest(KerasConfig& config) {
  config.ignore({"name", "jit_compile", "is_legacy_optimizer"});
  config.expect_one_of("decay", {nullptr, 0});
  config.expect_one_of("loss_scale_factor", {nullptr, 1});
  config.finish();
}

}  // namespace

const std::vector<KnownOptimizer>& known_optimizers() {
  static const std::vector<KnownOptimizer> optimizers = {
      known<Adam>(),    known<AdamW>(),    known<Sgd>(),    known<Rmsprop>(),
      known<Adagrad>(), known<Adadelta>(), known<Adamax>(), known<Nadam>(),
      known<Lion>(),    known<Ftrl>(),     known<Lamb>(),   known<Lars>(),
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
