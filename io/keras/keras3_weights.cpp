#include "io/keras/keras3_weights.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/keras/keras_optimizer_state.hpp"
#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/model/keras_order.hpp"

namespace lockstep {

std::size_t keras3_slot_number(std::size_t slot, std::size_t slots, std::size_t parameter,
                               std::size_t parameters) {
  const std::size_t together = std::min<std::size_t>(slots, 2);
  return slot < together ? parameter * together + slot : together * parameters + parameter;
}

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
  std::size_t first = 0;
  writer.write_integer(keras3_optimizer_path(first++), model.optimizer().iterations());
  const auto rate = model.optimizer().schedule().to_json();
  if (rate.is_number()) {
    const auto value = static_cast<float>(rate.get<double>());
    writer.write_floats(keras3_optimizer_path(first++), {}, std::span(&value, 1));
  }
  for (std::size_t slot = 0; slot < slots.size(); ++slot)
    for (std::size_t i = 0; i < parameters.size(); ++i)
      writer.write_floats(keras3_optimizer_path(
                              first + keras3_slot_number(slot, slots.size(), i, parameters.size())),
                          parameters[i]->shape, values_in_slot(slots[slot], *parameters[i]));
}

}  // namespace

void write_keras3_weights(hdf5::Writer& writer, const Network& model, const OptimizerSlots* slots) {
  writer.create_group("/vars");  // Keras 3.0 looks for it
  const std::vector<std::string> stores = keras3_stores(model);
  for (std::size_t i = 0; i < stores.size(); ++i) {
    const Layer& layer = *model.layers()[i];
    for (std::size_t j = 0; j < layer.parameters().size(); ++j)
      writer.write_floats(fmt::format("/{}/{}", stores[i], layer.store_of(j)),
                          layer.parameters()[j].shape, layer.parameters()[j].value);
  }
  if (slots != nullptr) write_optimizer(writer, model, *slots);
}

}  // namespace lockstep
