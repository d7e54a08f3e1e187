#include "src/model/network_builder.hpp"

#include <algorithm>

#include "src/core/error.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/layers_text.hpp"

namespace lockstep {

NetworkBuilder::Call NetworkBuilder::input(const Shape& shape) {
  inputs_.push_back(shape);
  calls_.push_back({add(std::make_unique<InputLayer>(shape)).front(), {}});
  return Call(calls_.size() - 1);
}

NetworkBuilder::Layers NetworkBuilder::add(const std::string& name,
                                           const std::string& layers_text) {
  Layers numbers;
  for (auto& layer : model_from_layers_text(layers_text).release_layers()) {
    layer->set_name(name + "_" + layer->name());
    numbers.push_back(add(std::move(layer)).front());
  }
  return numbers;
}

NetworkBuilder::Layers NetworkBuilder::add(std::unique_ptr<Layer> layer) {
  network_.add_layer(std::move(layer));
  return {network_.layers().size() - 1};
}

NetworkBuilder::Call NetworkBuilder::apply(const Layers& layers, std::vector<Call> inputs) {
  check(!layers.empty() && !inputs.empty(), ExitCode::kUsage,
        "[{}] expected layers and an input to apply them to, got none", network_.name());
  for (const std::size_t layer : layers) {
    calls_.push_back({layer, std::move(inputs)});
    inputs = {Call(calls_.size() - 1)};
  }
  return inputs.front();
}

Network NetworkBuilder::build(std::vector<Call> outputs) {
  network_.connect(std::move(calls_), std::move(outputs));
  network_.build_for(inputs_);
  return std::move(network_);
}

void copy_layer_weights(const Network& from, const NetworkBuilder::Layers& layers, Network& to) {
  check(layers.size() == to.layers().size(), ExitCode::kUsage,
        "[{}] expected {} layers to copy the weights of, got {}", to.name(), to.layers().size(),
        layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ParameterList source = from.layers()[layers[i]]->parameters();
    const ParameterList target = to.layers()[i]->parameters();
    check(source.size() == target.size() &&
              std::ranges::equal(source, target, {}, &Parameter::shape, &Parameter::shape),
          ExitCode::kUsage, "[{}] expected weights of the shapes of {}'s, got others",
          to.layers()[i]->name(), from.layers()[layers[i]]->name());
    for (std::size_t k = 0; k < source.size(); ++k)
      std::ranges::copy(source[k].value, target[k].value.begin());
  }
}

}  // namespace lockstep
