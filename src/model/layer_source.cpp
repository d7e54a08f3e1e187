#include "src/model/layer_source.hpp"

#include <algorithm>
#include <array>

#include "src/core/printable.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/make_layer.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/keras_names.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

KerasConfig config_of(const LayerSource& source, ExitCode code) {
  KerasConfig config(source.config, source.locate, code);
  config.set_keras(source.keras);
  return config;
}

// --- Activations that are layers ---

bool is_activation_layer(const ordered_json& value) {
  static constexpr std::array kClasses = {"ReLU", "LeakyReLU", "ELU", "Softmax"};
  return value.is_object() && value.contains("class_name") &&
         std::ranges::any_of(kClasses,
                             [&](const char* name) { return value["class_name"] == name; });
}

/// Gives `source` the activation's name if it has one, with these constants; else leaves it linear
/// and returns the layer that follows.
std::optional<LayerSource> split_activation(LayerSource& source, ExitCode code) {
  const ordered_json object = source.config["activation"];
  LayerSource activation{object["class_name"], object.value("config", ordered_json::object()),
                         [locate = source.locate](const std::string& key) {
                           return locate("activation") + (key.empty() ? "" : ": " + key);
                         },
                         source.keras};
  if (activation.config.is_object()) activation.config.erase("name");
  KerasConfig config = config_of(activation, code);
  const auto layer = make_layer(activation.class_name, config);
  const auto& function = dynamic_cast<const ActivationLayer&>(*layer).function();
  const bool has_name =
      function.kind != Activation::kClippedRelu && function == ActivationFunction(function.kind);
  source.config["activation"] = has_name ? activation_name(function.kind) : "linear";
  if (has_name) return {};
  return activation;
}

std::vector<LayerSource> with_split_activations(std::vector<LayerSource> sources, ExitCode code,
                                                Problems& problems) {
  std::vector<LayerSource> split;
  for (LayerSource& source : sources) {
    std::optional<LayerSource> activation;
    if (source.config.is_object() && source.config.contains("activation") &&
        is_activation_layer(source.config["activation"])) {
      try {
        activation = split_activation(source, code);
      } catch (const ProblemsError& error) {
        problems.add(error.problems());
        source.config["activation"] = "linear";
      }
    }
    split.push_back(std::move(source));
    if (activation) split.push_back(std::move(*activation));
  }
  return split;
}

// --- Making and building ---

void add_once(std::vector<std::string>& lines, std::string line) {
  if (std::ranges::find(lines, line) == lines.end()) lines.push_back(std::move(line));
}

/// Adds what there is to say about the layer and its config.
void note(const Layer& layer, const KerasConfig& config, const LayerSource& source,
          NetworkRemarks* remarks, Problems& problems) {
  if (remarks == nullptr) {
    problems.add(config.training_problems());
    return;
  }
  remarks->training.add(config.training_problems());
  remarks->stores.push_back(source.store);
  if (is_only_of_keras(layer.final_activation(), KerasMajor::k2))
    add_once(remarks->saving_notes,
             "hard_sigmoid is the function of Keras 1 and 2; Keras 3 means another by that name");
  if (config.foreign_dtype().empty()) return;
  add_once(remarks->notes, fmt::format("computed in float32: the network asks for {}",
                                       printable(config.foreign_dtype(), 80)));
}

/// The layers, each with a name of its own.
std::vector<std::unique_ptr<Layer>> make_layers(const std::vector<LayerSource>& sources,
                                                ExitCode code, NetworkRemarks* remarks,
                                                Problems& problems) {
  std::vector<std::unique_ptr<Layer>> layers;
  UniqueNames names;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    try {
      KerasConfig config = config_of(sources[i], code);
      auto layer = make_layer(sources[i].class_name, config);
      note(*layer, config, sources[i], remarks, problems);
      if (i > 0 && dynamic_cast<const InputLayer*>(layer.get()))
        config.refuse("", "InputLayer in front of all layers only",
                      fmt::format("it as layer {}", i + 1));
      if (!layer->name().empty() && !names.take(layer->name()))
        config.refuse("name", "every layer to have a name of its own",
                      fmt::format("'{}' twice", printable(layer->name(), 80)));
      layers.push_back(std::move(layer));
    } catch (const ProblemsError& error) {
      problems.add(error.problems());
    }
  }
  problems.throw_if_any(code);
  for (const auto& layer : layers)
    if (layer->name().empty())
      layer->set_name(names.take_free(keras_snake_case(layer->class_name())));
  return layers;
}

/// The input shape that the layers themselves tell.
std::optional<Shape> told_input_shape(const Layer& front, KerasConfig& first) {
  if (const auto* input = dynamic_cast<const InputLayer*>(&front)) return input->shape();
  return first.batch_shape("batch_input_shape");
}

/// Builds copies of the layers one by one, which needs no memory for their parameters.
void check_build(const Network& model, const std::vector<LayerSource>& sources, Shape shape,
                 ExitCode code) {
  std::int64_t parameters = 0;
  Graph graph;
  std::size_t value = graph.add_input(std::move(shape));
  std::vector<std::unique_ptr<Layer>> layers;  // the graph looks at them
  for (std::size_t i = 0; i < sources.size(); ++i) {
    KerasConfig config = config_of(sources[i], code);
    const auto& layer = layers.emplace_back(make_layer(sources[i].class_name, config));
    layer->set_name(model.layers()[i]->name());
    config.convert("", [&] {
      value = layer->apply(graph, {&value, 1});
      check_size(*layer, graph.shape(value), false, parameters);
    });
    config.finish();
  }
}

}  // namespace

Network model_from_sources(const std::string& name, std::vector<LayerSource> sources,
                           const std::optional<Shape>& input, ExitCode code,
                           NetworkRemarks* remarks) {
  Problems problems;
  sources = with_split_activations(std::move(sources), code, problems);
  Network model(name);
  for (auto& layer : make_layers(sources, code, remarks, problems))
    model.add_layer(std::move(layer));

  KerasConfig first = config_of(sources.front(), code);
  auto shape = told_input_shape(*model.layers().front(), first);
  first.throw_if_any();
  if (shape && input && *shape != *input)
    first.refuse("batch_input_shape", to_string_batched(*input) + " as the model was built for",
                 to_string_batched(*shape));
  if (!shape) shape = input;
  if (shape) {
    check_build(model, sources, *shape, code);
    model.build(*shape);
  }
  return model;
}

}  // namespace lockstep
