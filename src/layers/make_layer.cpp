#include "src/layers/make_layer.hpp"

#include <algorithm>
#include <limits>

#include "src/core/printable.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/rescaling.hpp"
#include "src/layers/reshaping.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// A name, or Keras 3's {"class_name": "function", "config": "relu"}.
Activation read_activation(LayerConfig& config, bool required) {
  const ordered_json* value = config.find("activation");
  if (!value && required) config.refuse("activation", "the name of an activation", "nothing");
  if (!value) return Activation::kLinear;
  const ordered_json* name = value;
  if (value->is_object() && value->value("class_name", ordered_json()) == "function" &&
      value->contains("config"))
    name = &value->at("config");
  if (!name->is_string())
    config.refuse("activation", "the name of an activation", describe(*value));
  return config.convert("activation", [&] {
    return activation_from_name(printable(name->get_ref<const std::string&>(), 80));
  });
}

std::shared_ptr<const Initializer> read_initializer(
    LayerConfig& config, const std::string& key,
    const std::shared_ptr<const Initializer>& fallback) {
  const ordered_json* value = config.find(key);
  if (!value) return fallback;
  return config.convert(key, [&] { return make_initializer(*value); });
}

Regularizer read_regularizer(LayerConfig& config, const std::string& key) {
  const ordered_json* value = config.find(key);
  return value ? config.convert(key, [&] { return make_regularizer(*value); }) : Regularizer{};
}

std::unique_ptr<Layer> make_input_layer(LayerConfig& config) {
  auto shape = config.batch_shape("batch_input_shape");
  if (!shape) shape = config.batch_shape("batch_shape");
  if (!shape) config.refuse("batch_input_shape", "a shape such as [null, 784]", "nothing");
  config.expect("sparse", false);
  config.expect("ragged", false);
  config.ignore({"optional"});
  return std::make_unique<InputLayer>(std::move(*shape));
}

std::unique_ptr<Layer> make_dense(LayerConfig& config) {
  const std::int64_t units = config.integer("units", 1, std::numeric_limits<std::int32_t>::max());
  const Activation activation = read_activation(config, false);
  Dense::Options options;
  options.use_bias = config.boolean("use_bias", options.use_bias);
  options.kernel_initializer =
      read_initializer(config, "kernel_initializer", options.kernel_initializer);
  options.bias_initializer = read_initializer(config, "bias_initializer", options.bias_initializer);
  options.kernel_regularizer = read_regularizer(config, "kernel_regularizer");
  options.bias_regularizer = read_regularizer(config, "bias_regularizer");
  for (const char* key :
       {"activity_regularizer", "kernel_constraint", "bias_constraint", "lora_rank"})
    config.expect(key, nullptr);
  return std::make_unique<Dense>(units, activation, std::move(options));
}

std::unique_ptr<Layer> make_activation(LayerConfig& config) {
  return std::make_unique<ActivationLayer>(read_activation(config, true));
}

std::unique_ptr<Layer> make_flatten(LayerConfig& config) {
  config.expect("data_format", "channels_last");
  return std::make_unique<Flatten>();
}

std::unique_ptr<Layer> make_reshape(LayerConfig& config) {
  Shape target = config.shape("target_shape", true);
  if (std::ranges::count(target, -1) > 1)
    config.refuse("target_shape", "at most one -1", to_string(target));
  return std::make_unique<Reshape>(std::move(target));
}

std::unique_ptr<Layer> make_rescaling(LayerConfig& config) {
  const double scale = config.number("scale");
  return std::make_unique<Rescaling>(scale, config.number("offset", 0.0));
}

std::unique_ptr<Layer> make_dropout(LayerConfig& config) {
  const double rate = config.number("rate");
  config.expect("noise_shape", nullptr);
  if (config.find("seed"))
    config.integer("seed", std::numeric_limits<std::int64_t>::min(),
                   std::numeric_limits<std::int64_t>::max());
  return config.convert("rate", [&] { return std::make_unique<Dropout>(rate); });
}

using Make = std::unique_ptr<Layer> (*)(LayerConfig&);
struct Known {
  const char* class_name;
  Make make;
};
constexpr Known kLayers[] = {
    {"InputLayer", make_input_layer}, {"Dense", make_dense},     {"Activation", make_activation},
    {"Flatten", make_flatten},        {"Reshape", make_reshape}, {"Rescaling", make_rescaling},
    {"Dropout", make_dropout},
};

}  // namespace

const std::vector<std::string>& layer_class_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Known& known : kLayers) all.emplace_back(known.class_name);
    return all;
  }();
  return names;
}

std::unique_ptr<Layer> make_layer(const std::string& class_name, LayerConfig& config) {
  const auto known = std::ranges::find(kLayers, class_name, &Known::class_name);
  if (known == std::end(kLayers))
    config.refuse(
        "class_name", fmt::format("one of {}", fmt::join(layer_class_names(), ", ")),
        "'" + printable(class_name, 80) + "'" + did_you_mean(class_name, layer_class_names()));
  std::unique_ptr<Layer> layer = known->make(config);
  layer->set_name(config.name("name", ""));
  layer->set_trainable(config.boolean("trainable", true));
  config.expect_float32();
  config.ignore({"batch_input_shape", "build_config", "module", "registered_name"});
  for (const char* key : {"activity_regularizer", "quantization_config"})
    config.expect(key, nullptr);
  config.finish();
  return layer;
}

}  // namespace lockstep
