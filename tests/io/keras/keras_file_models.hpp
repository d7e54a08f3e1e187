#pragma once

#include <cstdint>
#include <string>

#include "io/keras/keras_file.hpp"
#include "src/model/layers_text.hpp"

/// What tests of model files save.
namespace lockstep {

inline Network make_model(const std::string& optimizer = "adam", std::uint64_t seed = 7) {
  Network model =
      model_from_layers_text("Input((4,)), Dense(5, relu), Dropout(0.25), Dense(3, softmax)");
  model.initialize(seed);
  if (!optimizer.empty()) model.compile(optimizer, "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

/// Slots whose every number tells its slot and weight; gaps stay as they begin.
inline OptimizerSlots make_slots(const Network& model) {
  OptimizerSlots slots;
  for (std::size_t slot = 0; slot < model.optimizer().slot_names().size(); ++slot) {
    auto& values = slots.emplace_back(static_cast<std::size_t>(model.arena().trainable_size()),
                                      model.optimizer().slot_start(slot));
    float number = 1000 * static_cast<float>(slot + 1);
    for (const Parameter* parameter : model.arena().parameters()) {
      for (std::size_t i = 0; i < parameter->value.size(); ++i) {
        values[static_cast<std::size_t>(parameter->offset) + i] = number++;
      }
    }
  }
  return slots;
}

}  // namespace lockstep
