#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"
#include "src/losses/crossentropy.hpp"
#include "src/losses/element_losses.hpp"
#include "src/losses/focal_crossentropy.hpp"
#include "src/losses/loss.hpp"
#include "src/losses/row_losses.hpp"

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

template <class L>
Pointer make_categorical(KerasConfig& config) {
  return std::make_unique<L>(read_settings(config));
}

template <class L>
Pointer make_focal(KerasConfig& config) {
  FocalSettings settings;
  settings.alpha = config.number("alpha", settings.alpha, kUpToOne);
  settings.gamma = config.number("gamma", settings.gamma, kNotNegative);
  settings.from_logits = config.boolean("from_logits", false);
  settings.label_smoothing = config.number("label_smoothing", 0, kUpToOne);
  if constexpr (std::is_same_v<L, BinaryFocalCrossentropy>)
    settings.apply_class_balancing = config.boolean("apply_class_balancing", false);
  config.expect("axis", -1);
  return std::make_unique<L>(settings);
}

Pointer make_huber(KerasConfig& config) {
  return huber(config.number("delta", 1, kPositive));
}

Pointer make_cosine(KerasConfig& config) {
  config.expect("axis", -1);
  return cosine_similarity();
}

template <auto kMake>
Pointer make_plain(KerasConfig&) {
  return kMake();
}

struct Known {
  std::array<std::string_view, 5> names;  ///< as a function, as a class, aliases
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
    {{"binary_focal_crossentropy", "BinaryFocalCrossentropy"}, make_focal<BinaryFocalCrossentropy>},
    {{"categorical_focal_crossentropy", "CategoricalFocalCrossentropy"},
     make_focal<CategoricalFocalCrossentropy>},
    {{"kl_divergence", "KLDivergence", "kld", "KLD", "kullback_leibler_divergence"},
     make_plain<kl_divergence>},
    {{"poisson", "Poisson"}, make_plain<poisson>},
    {{"mean_squared_error", "MeanSquaredError", "mse", "MSE"}, make_plain<mean_squared_error>},
    {{"mean_absolute_error", "MeanAbsoluteError", "mae", "MAE"}, make_plain<mean_absolute_error>},
    {{"mean_absolute_percentage_error", "MeanAbsolutePercentageError", "mape", "MAPE"},
     make_plain<mean_absolute_percentage_error>},
    {{"mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "msle", "MSLE"},
     make_plain<mean_squared_logarithmic_error>},
    {{"huber", "Huber", "huber_loss"}, make_huber},
    {{"log_cosh", "LogCosh", "logcosh"}, make_plain<log_cosh>},
    {{"cosine_similarity", "CosineSimilarity"}, make_cosine},
    {{"hinge", "Hinge"}, make_plain<hinge>},
    {{"squared_hinge", "SquaredHinge"}, make_plain<squared_hinge>},
    {{"categorical_hinge", "CategoricalHinge"}, make_plain<categorical_hinge>},
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
  }
  fail(ExitCode::kBadData, "[loss] expected a known loss, got '{}'{}", object.name,
       did_you_mean(object.name, known_losses()));
}

std::vector<std::string> known_losses() {
  std::vector<std::string> names;
  for (const Known& known : kKnown) names.emplace_back(known.names[0]);
  return names;
}

}  // namespace lockstep
