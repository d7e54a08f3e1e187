#include "io/keras/keras3_weights.hpp"

#include <nlohmann/json.hpp>

#include "io/keras/keras_optimizer_state.hpp"
#include "io/keras/keras_slot_order.hpp"
#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/model/keras_order.hpp"

namespace lockstep {

std::string keras3_optimizer_path(std::size_t number) {
  return "/optimizer/vars/" + std::to_string(number);
}

namespace {

void write_optimizer(hdf5::Writer& writer, const Network& model, const OptimizerSlots& slots) {
  check_slots(model, slots);
  std::vector<const Parameter*> parameters;
  for (const std::size_t layer : keras_layer_order(model))
    for (const Parameter& parameter : model.layers()[layer]->parameters())
      if (parameter.trained()) parameters.push_back(&parameter);
  const Optimizer& optimizer = model.optimizer();
  std::size_t number = 0;
  const auto write_scalar = [&](double value) {
    const auto rounded = static_cast<float>(value);
    writer.write_floats(keras3_optimizer_path(number++), {}, std::span(&rounded, 1));
  };
  writer.write_integer(keras3_optimizer_path(number++), optimizer.iterations());
  if (const auto rate = optimizer.schedule().to_json(); rate.is_number())
    write_scalar(rate.get<double>());
  for (const auto [slot, weight] : keras3_slot_order(optimizer, parameters.size()))
    writer.write_floats(keras3_optimizer_path(number++), parameters[weight]->shape,
                        values_in_slot(slots[slot], *parameters[weight]));
  if (const auto kept = optimizer.kept_scalar()) write_scalar(*kept);
}

}  // namespace

void write_keras3_weights(hdf5::Writer& writer, const Network& model, const OptimizerSlots* slots) {
  writer.create_group("/vars");  // Keras 3.0 looks for it
  const std::vector<std::string> stores = keras3_stores(model);
  for (std::size_t i = 0; i < stores.size(); ++i) {
    const Layer& layer = *model.layers()[i];
    const ParameterList parameters = layer.parameters();
    const std::vector<std::string> stores_within = layer.stores();
    for (std::size_t j = 0; j < parameters.size(); ++j)
      writer.write_floats(fmt::format("/{}/{}", stores[i], stores_within[j]), parameters[j].shape,
                          parameters[j].value);
  }
  if (slots != nullptr) write_optimizer(writer, model, *slots);
}

}  // namespace lockstep
