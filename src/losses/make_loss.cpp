#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/losses/crossentropy.hpp"
#include "src/losses/loss.hpp"
#include "src/losses/regression.hpp"

namespace lockstep {
namespace {

using Pointer = std::unique_ptr<Loss>;

CrossentropySettings read_settings(KerasConfig& config) {
  CrossentropySettings settings;
  settings.from_logits = config.boolean("from_logits", false);
  settings.label_smoothing = config.number("label_smoothing", 0, kUpToOne);
  config.expect("axis", -1);
  return settings;
}

Pointer make_sparse(KerasConfig& config) {
  config.expect("ignore_class", nullptr);
  config.expect("axis", -1);
  return std::make_unique<SparseCategoricalCrossentropy>(config.boolean("from_logits", false));
}

Pointer make_huber(KerasConfig& config) {
  return std::make_unique<Huber>(config.number("delta", 1, kPositive));
}

template <class L>
Pointer make_categorical(KerasConfig& config) {
  return std::make_unique<L>(read_settings(config));
}

template <class L>
Pointer make_simple(KerasConfig&) {
  return std::make_unique<L>();
}

struct Known {
  std::array<std::string_view, 4> names;  ///< as a function, as a class, aliases
  Pointer (*make)(KerasConfig& config);

  bool has(std::string_view name) const {
    return !name.empty() && std::ranges::find(names, name) != names.end();
  }
};
constexpr Known kKnown[] = {
    {{"sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"}, make_sparse},
    {{"categorical_crossentropy", "CategoricalCrossentropy"},
     make_categorical<CategoricalCrossentropy>},
    {{"binary_crossentropy", "BinaryCrossentropy", "bce", "BCE"},
     make_categorical<BinaryCrossentropy>},
    {{"mean_squared_error", "MeanSquaredError", "mse", "MSE"}, make_simple<MeanSquaredError>},
    {{"mean_absolute_error", "MeanAbsoluteError", "mae", "MAE"}, make_simple<MeanAbsoluteError>},
    {{"huber", "Huber", "huber_loss"}, make_huber},
};

/// Keras 2 repeats the function beside the class.
void check_function(KerasConfig& config, const Known& known) {
  const nlohmann::ordered_json* function = config.find("fn");
  if (function == nullptr) return;
  const std::string name = config.convert("fn", [&] { return keras_object(*function, "fn").name; });
  if (!name.empty() && !known.has(name))
    config.object_to("fn", std::string(known.names[0]), "'" + name + "'");
}

}  // namespace

Pointer make_loss(const std::string& name) {
  return make_loss(nlohmann::ordered_json(name));
}

Pointer make_loss(const nlohmann::ordered_json& json) {
  const KerasObject object = keras_object(json, "loss");
  std::string names;
  for (const Known& known : kKnown) {
    if (known.has(object.name)) {
      KerasConfig config(object.config, settings_of(known.names[0]));
      config.ignore({"name"});
      config.expect_one_of("reduction", {"sum_over_batch_size", "auto"});
      config.expect_float32();
      check_function(config, known);
      Pointer loss = known.make(config);
      config.finish();
      return loss;
    }
    names += names.empty() ? "" : ", ";
    names += known.names[0];
  }
  fail(ExitCode::kBadData, "[loss] expected one of {}, got '{}'", names, object.name);
}

}  // namespace lockstep
