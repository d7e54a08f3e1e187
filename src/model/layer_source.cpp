#include "src/model/layer_source.hpp"

#include <algorithm>

#include "src/layers/make_layer.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

/// The input shape that the layers themselves tell.
std::optional<Shape> told_input_shape(const Sequential& model, LayerConfig first) {
  if (const auto* input = dynamic_cast<const InputLayer*>(model.layers().front().get()))
    return input->shape();
  return first.batch_shape("batch_input_shape");
}

/// Builds copies of the layers one by one, which needs no memory for their parameters.
void check_build(const Sequential& model, const std::vector<LayerSource>& sources, Shape shape,
                 ExitCode code) {
  std::int64_t parameters = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    LayerConfig config(sources[i].config, sources[i].locate, code);
    const auto layer = make_layer(sources[i].class_name, config);
    layer->set_name(model.layers()[i]->name());
    config.convert("", [&] {
      shape = layer->build(shape);
      check_size(*layer, shape, parameters);
    });
  }
}

}  // namespace

Sequential model_from_sources(const std::string& name, const std::vector<LayerSource>& sources,
                              const std::optional<Shape>& input, ExitCode code) {
  Sequential model(name);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    LayerConfig config(sources[i].config, sources[i].locate, code);
    auto layer = make_layer(sources[i].class_name, config);
    if (i > 0 && dynamic_cast<const InputLayer*>(layer.get()))
      config.refuse("", "InputLayer in front of all layers only",
                    fmt::format("it as layer {}", i + 1));
    config.convert("name", [&] { model.add(std::move(layer)); });
  }

  LayerConfig first(sources.front().config, sources.front().locate, code);
  auto shape = told_input_shape(model, first);
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
