#include "src/layers/make_noise.hpp"

#include <limits>

#include "src/layers/alpha_dropout.hpp"
#include "src/layers/noise.hpp"

namespace lockstep {
namespace {

template <class NoiseLayer>
std::unique_ptr<Layer> make_with(KerasConfig& config, const char* key, const NumberRange& range) {
  ignore_seed(config);
  return std::make_unique<NoiseLayer>(config.number(key, range));
}

}  // namespace

void ignore_seed(KerasConfig& config) {
  if (config.find("seed"))
    config.integer("seed", std::numeric_limits<std::int64_t>::min(),
                   std::numeric_limits<std::int64_t>::max());
}

std::unique_ptr<Layer> make_gaussian_noise(KerasConfig& config) {
  return make_with<GaussianNoise>(config, "stddev", kNotNegativeFloat);
}

std::unique_ptr<Layer> make_gaussian_dropout(KerasConfig& config) {
  return make_with<GaussianDropout>(config, "rate", kFraction);
}

std::unique_ptr<Layer> make_alpha_dropout(KerasConfig& config) {
  config.expect("noise_shape", nullptr);
  return make_with<AlphaDropout>(config, "rate", kFraction);
}

std::unique_ptr<Layer> make_spatial_dropout_of(int dimensions, KerasConfig& config) {
  const double rate = config.number("rate", kUpToOne);
  config.expect("noise_shape", nullptr);
  ignore_seed(config);
  const std::string format =
      config.word("data_format", "channels_last", {"channels_last", "channels_first"});
  return std::make_unique<SpatialDropout>(dimensions, rate, format == "channels_first");
}

}  // namespace lockstep
