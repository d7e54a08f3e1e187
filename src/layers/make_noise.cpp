#include "src/layers/make_noise.hpp"

#include <limits>

#include "src/layers/alpha_dropout.hpp"
#include "src/layers/noise.hpp"

namespace lockstep {
namespace {

template <class NoiseLayer>
std::unique_ptr<Layer> make_with(LayerConfig& config, const char* key) {
  const double value = config.number(key);
  ignore_seed(config);
  return config.convert(
      key, [&]() -> std::unique_ptr<Layer> { return std::make_unique<NoiseLayer>(value); });
}

}  // namespace

void ignore_seed(LayerConfig& config) {
  if (config.find("seed"))
    config.integer("seed", std::numeric_limits<std::int64_t>::min(),
                   std::numeric_limits<std::int64_t>::max());
}

std::unique_ptr<Layer> make_gaussian_noise(LayerConfig& config) {
  return make_with<GaussianNoise>(config, "stddev");
}

std::unique_ptr<Layer> make_gaussian_dropout(LayerConfig& config) {
  return make_with<GaussianDropout>(config, "rate");
}

std::unique_ptr<Layer> make_alpha_dropout(LayerConfig& config) {
  config.expect("noise_shape", nullptr);
  return make_with<AlphaDropout>(config, "rate");
}

std::unique_ptr<Layer> make_spatial_dropout_of(int dimensions, LayerConfig& config) {
  const double rate = config.number("rate");
  config.expect("noise_shape", nullptr);
  ignore_seed(config);
  const std::string format = config.text("data_format");
  if (!format.empty() && format != "channels_last" && format != "channels_first")
    config.object_to("data_format", "'channels_last' or 'channels_first'", describe(format));
  return config.convert("rate", [&]() -> std::unique_ptr<Layer> {
    return std::make_unique<SpatialDropout>(dimensions, rate, format == "channels_first");
  });
}

}  // namespace lockstep
