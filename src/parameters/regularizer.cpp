#include "src/parameters/regularizer.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr double kDefault = 0.01;

/// The double with the float's shortest decimal digits: 0.01, not 0.009999999776.
double shortest(float x) {
  const std::string text = fmt::format("{}", x);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

float strength(KerasConfig& config, const char* key, double absent) {
  return static_cast<float>(config.number(key, absent, kNotNegativeFloat));
}

}  // namespace

double Regularizer::penalty(std::span<const float> weights) const {
  double sum = 0;
  for (std::size_t first = 0; first < weights.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, weights.size() - first);
    const WeightSums sums =
        kernels().weight_sums(weights.data() + first, static_cast<std::int64_t>(count));
    sum += static_cast<double>(l1) * sums.absolute + static_cast<double>(l2) * sums.squares;
  }
  return sum;
}

void Regularizer::add_gradient(std::span<const float> weights, std::span<float> gradient) const {
  kernels().add_penalty_gradient(weights.data(), gradient.data(), std::ssize(weights), l1, l2);
}

nlohmann::ordered_json Regularizer::to_json() const {
  if (!active()) return nullptr;
  nlohmann::ordered_json config;
  if (l1 != 0) config["l1"] = shortest(l1);
  if (l2 != 0) config["l2"] = shortest(l2);
  const char* name = l1 == 0 ? "L2" : l2 == 0 ? "L1" : "L1L2";
  return {{"class_name", name}, {"config", std::move(config)}};
}

Regularizer make_regularizer(const nlohmann::ordered_json& json) {
  if (json.is_null()) return {};
  const KerasObject object = keras_object(json, "regularizer");
  KerasConfig config(object.config, settings_of(object.name));
  Regularizer result;
  if (object.name == "l1" || object.name == "L1") {
    result.l1 = strength(config, "l1", kDefault);
  } else if (object.name == "l2" || object.name == "L2") {
    result.l2 = strength(config, "l2", kDefault);
  } else if (object.name == "l1_l2" || object.name == "L1L2") {
    // Keras: the name alone means 0.01 and 0.01, the class without settings 0 and 0.
    const double absent = json.is_string() ? kDefault : 0.0;
    result.l1 = strength(config, "l1", absent);
    result.l2 = strength(config, "l2", absent);
  } else {
    fail(ExitCode::kBadData, "[regularizer] expected one of L1, L2, L1L2, got '{}'", object.name);
  }
  config.finish();
  return result;
}

}  // namespace lockstep
