#include "io/keras/keras_optimizer_state.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "io/keras/keras3_weights.hpp"
#include "io/keras/keras_weights.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

const std::string kRoot = "/optimizer_weights";

/// The parts of "Adam/dense/kernel/m:0" without the ":0".
std::vector<std::string_view> components(std::string_view name) {
  name = name.substr(0, name.rfind(':'));
  std::vector<std::string_view> parts;
  for (std::size_t first = 0; first <= name.size();) {
    const std::size_t last = std::min(name.find('/', first), name.size());
    parts.push_back(name.substr(first, last - first));
    first = last + 1;
  }
  return parts;
}

/// What Keras 2, tf_keras and Keras 3 call a slot.
std::vector<std::string_view> names_of_slot(std::string_view slot) {
  if (slot == "m") return {"m", "momentum"};
  if (slot == "v") return {"v", "velocity"};
  if (slot == "momentum") return {"momentum", "m"};
  return {slot};
}

bool belongs_to_slot(std::string_view weight, std::string_view slot) {
  const std::vector<std::string_view> parts = components(weight);
  const std::vector<std::string_view> names = names_of_slot(slot);
  const auto is_name = [&](std::string_view part) {
    return std::ranges::find(names, part) != names.end();
  };
  if (is_name(parts.back())) return true;  // Keras 2: Adam/dense/kernel/m
  for (const std::string_view name : names) {
    // Keras 3: adam/sequential_dense_kernel_momentum
    if (parts.size() <= 2 && parts.back().ends_with("_" + std::string(name))) return true;
  }
  // tf_keras: Adam/m/dense/kernel, but not Keras 2's Adam/m/kernel/v of a layer named m.
  constexpr std::array<std::string_view, 4> kSlots = {"m", "v", "momentum", "velocity"};
  const bool keras_2 = std::ranges::find(kSlots, parts.back()) != kSlots.end();
  return parts.size() > 2 && !keras_2 && is_name(parts[1]);
}

bool is_step_count(std::string_view weight) {
  const std::string_view last = components(weight).back();
  return last == "iter" || last == "iteration" || last == "iterations";
}

bool is_learning_rate(std::string_view weight) {
  return components(weight).back() == "learning_rate";
}

/// In the order of the file's trainable_weights.
std::vector<const Parameter*> trainable_parameters(const Network& model,
                                                   const NetworkRemarks& remarks) {
  std::vector<const Parameter*> parameters;
  for (const std::size_t layer : file_order(model, remarks)) {
    for (const Parameter& parameter : model.layers()[layer]->parameters()) {
      if (parameter.trained()) parameters.push_back(&parameter);
    }
  }
  return parameters;
}

}  // namespace

void check_slots(const Network& model, const OptimizerSlots& slots) {
  const std::string optimizer = model.optimizer().class_name();
  const std::vector<std::string> names = model.optimizer().slot_names();
  check(slots.size() == names.size(), ExitCode::kBadData,
        "[{}] expected {} optimizer slots, got {}", optimizer, names.size(), slots.size());
  for (std::size_t slot = 0; slot < slots.size(); ++slot)
    check(static_cast<std::int64_t>(slots[slot].size()) == model.arena().trainable_size(),
          ExitCode::kBadData, "[{}] expected {} numbers in slot {}, got {}", optimizer,
          model.arena().trainable_size(), names[slot], slots[slot].size());
}

std::span<const float> values_in_slot(std::span<const float> slot, const Parameter& parameter) {
  return slot.subspan(static_cast<std::size_t>(parameter.offset), parameter.value.size());
}

std::optional<OptimizerState> read_optimizer_state(const hdf5::File& file, const Network& model,
                                                   const NetworkRemarks& remarks) {
  if (!file.exists(kRoot)) return std::nullopt;
  std::vector<std::string> weights = file.read_strings(kRoot, "weight_names");
  if (weights.empty() || !is_step_count(weights.front())) return std::nullopt;
  OptimizerState state;
  state.iterations = file.read_integer(kRoot + "/" + weights.front());
  if (state.iterations < 0) return std::nullopt;
  weights.erase(weights.begin());
  std::erase_if(weights, is_learning_rate);

  const std::vector<const Parameter*> parameters = trainable_parameters(model, remarks);
  const std::vector<std::string> slots = model.optimizer().slot_names();
  // An optimizer without slots (SGD without momentum) needs nothing of what tf_keras writes for it.
  if (!slots.empty() && weights.size() != slots.size() * parameters.size()) return std::nullopt;
  for (const std::string& slot : slots) {
    std::vector<std::string> paths;
    for (const std::string& weight : weights) {
      if (belongs_to_slot(weight, slot)) paths.push_back(kRoot + "/" + weight);
    }
    if (paths.size() != parameters.size()) return std::nullopt;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (file.dataset_info(paths[i]).extents != parameters[i]->shape) return std::nullopt;
    }
    std::vector<float>& values =
        state.slots.emplace_back(static_cast<std::size_t>(model.arena().trainable_size()), 0.0f);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      std::ranges::copy(file.read_floats(paths[i], parameters[i]->shape),
                        values.begin() + parameters[i]->offset);
    }
  }
  return state;
}

std::optional<OptimizerState> read_keras3_optimizer_state(const hdf5::File& file,
                                                          const Network& model,
                                                          const NetworkRemarks& remarks) {
  const auto path_of = keras3_optimizer_path;
  if (!file.exists(path_of(0)) || !file.dataset_info(path_of(0)).extents.empty())
    return std::nullopt;
  OptimizerState state;
  state.iterations = file.read_integer(path_of(0));
  if (state.iterations < 0) return std::nullopt;
  const std::vector<const Parameter*> parameters = trainable_parameters(model, remarks);
  const std::size_t slots = model.optimizer().slot_names().size();
  // Keras 2.15 has no learning rate between.
  const bool has_rate = file.exists(path_of(1)) && file.dataset_info(path_of(1)).extents.empty();
  const std::size_t first = has_rate ? 2 : 1;
  if (slots > 0 && file.exists(path_of(first + slots * parameters.size()))) return std::nullopt;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::vector<float>& values =
        state.slots.emplace_back(static_cast<std::size_t>(model.arena().trainable_size()), 0.0f);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string path =
          path_of(first + keras3_slot_number(slot, slots, i, parameters.size()));
      if (!file.exists(path) || file.dataset_info(path).extents != parameters[i]->shape)
        return std::nullopt;
      std::ranges::copy(file.read_floats(path, parameters[i]->shape),
                        values.begin() + parameters[i]->offset);
    }
  }
  return state;
}

}  // namespace lockstep
