#include "io/keras/keras_optimizer_state.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "io/keras/keras3_weights.hpp"
#include "io/keras/keras_slot_order.hpp"
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

bool belongs_to_slot(std::string_view weight, std::string_view slot) {
  const std::vector<std::string_view> parts = components(weight);
  const std::vector<std::string_view> names = names_of_slot(slot);
  const auto is_name = [&](std::string_view part) {
    return std::ranges::find(names, part) != names.end();
  };
  if (is_name(parts.back())) return true;  // Keras 2: Adam/dense/kernel/m
  if (parts.size() <= 2) {
    // Keras 3: adam/sequential_dense_kernel_momentum
    const bool is_other = slot == "accumulator" && parts.back().ends_with("_gradient_accumulator");
    return !is_other && std::ranges::any_of(names, [&](std::string_view name) {
      return parts.back().ends_with("_" + std::string(name));
    });
  }
  // tf_keras: Adam/m/dense/kernel, but not Keras 2's Adam/m/kernel/v of a layer named m.
  return !is_name_of_slot(parts.back()) && is_name(parts[1]);
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

/// "training/Adam/Variable_3:0", "Variable_12:0": Keras before 2.4 numbered them.
bool is_numbered(std::string_view weight) {
  return components(weight).back().starts_with("Variable");
}

/// The steps that an optimizer of Keras before 2.4 has counted; Keras 1 counted in float32.
std::int64_t steps_in(const hdf5::File& file, const std::string& path) {
  if (is_integer(*file.dataset_info(path).type)) return file.read_integer(path);
  return static_cast<std::int64_t>(file.read_floats(path, {}).front());
}

/// Keras 1 sorted the weights that are trained by their names in the file.
void sort_as_keras1(const hdf5::File& file, const std::map<const Parameter*, StoredWeight>& stored,
                    std::vector<const Parameter*>& parameters) {
  if (!file.text_or_nothing("/", "keras_version").starts_with('1')) return;
  const auto name = [&](const Parameter* parameter) {
    const std::string& path = stored.at(parameter).paths.front();
    return path.substr(path.rfind('/') + 1);
  };
  std::ranges::stable_sort(parameters, {}, name);
}

/// Of Keras before 2.4: slot after slot, of all weights each, without a name that tells them apart.
/// Optimizers that did not note how many steps they took begin to count.
std::optional<OptimizerState> read_numbered_state(const hdf5::File& file,
                                                  std::vector<std::string> weights,
                                                  const Network& model,
                                                  const NetworkRemarks& remarks) {
  for (std::string& weight : weights) weight = kRoot + "/" + weight;
  OptimizerState state;
  if (file.dataset_info(weights.front()).extents.empty()) {
    state.iterations = steps_in(file, weights.front());
    weights.erase(weights.begin());
  }
  if (state.iterations < 0) return std::nullopt;
  const std::map<const Parameter*, StoredWeight> stored = stored_weights(file, remarks, model);
  std::vector<const Parameter*> parameters = trainable_parameters(model, remarks);
  sort_as_keras1(file, stored, parameters);
  const Optimizer& optimizer = model.optimizer();
  const std::size_t slots = optimizer.slot_names().size();
  // Adam's without amsgrad: one number in the place of each slot that there is not.
  if (slots > 0 && weights.size() == (slots + 1) * parameters.size() &&
      file.dataset_info(weights.back()).extents == Shape{1})
    weights.resize(slots * parameters.size());
  if (slots > 0 && weights.size() != slots * parameters.size()) return std::nullopt;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::vector<float>& values = add_fresh_slot(state.slots, model.arena(), optimizer);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      StoredWeight weight = stored.at(parameters[i]);
      if (weight.paths.size() != 1) return std::nullopt;  // of gates by themselves
      weight.paths.front() = weights[slot * parameters.size() + i];
      if (weight.shape(file) != parameters[i]->shape) return std::nullopt;
      std::ranges::copy(weight.read(file, parameters[i]->shape),
                        values.begin() + parameters[i]->offset);
    }
  }
  return state;
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

std::vector<float>& add_fresh_slot(OptimizerSlots& slots, const ParameterArena& arena,
                                   const Optimizer& optimizer) {
  const float start = optimizer.slot_start(slots.size());
  return slots.emplace_back(static_cast<std::size_t>(arena.trainable_size()), start);
}

std::span<const float> values_in_slot(std::span<const float> slot, const Parameter& parameter) {
  return slot.subspan(static_cast<std::size_t>(parameter.offset), parameter.value.size());
}

std::optional<OptimizerState> read_optimizer_state(const hdf5::File& file, const Network& model,
                                                   const NetworkRemarks& remarks) {
  if (!file.exists(kRoot)) return std::nullopt;
  std::vector<std::string> weights = file.read_strings(kRoot, "weight_names");
  if (!weights.empty() && is_numbered(weights.back()))
    return read_numbered_state(file, std::move(weights), model, remarks);
  if (weights.empty() || !is_step_count(weights.front())) return std::nullopt;
  OptimizerState state;
  state.iterations = file.read_integer(kRoot + "/" + weights.front());
  if (state.iterations < 0) return std::nullopt;
  weights.erase(weights.begin());
  std::erase_if(weights, is_learning_rate);
  const Optimizer& optimizer = model.optimizer();
  if (optimizer.kept_scalar())
    std::erase_if(weights, [&](const std::string& weight) {
      return file.dataset_info(kRoot + "/" + weight).extents.empty();
    });

  const std::vector<const Parameter*> parameters = trainable_parameters(model, remarks);
  const std::vector<std::string> slots = optimizer.slot_names();
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
    std::vector<float>& values = add_fresh_slot(state.slots, model.arena(), optimizer);
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
  const Optimizer& optimizer = model.optimizer();
  const std::size_t slots = optimizer.slot_names().size();
  const auto is_scalar = [&](std::size_t number) {
    return file.exists(path_of(number)) && file.dataset_info(path_of(number)).extents.empty();
  };
  // Keras 2.15 has no learning rate between.
  std::size_t number = is_scalar(1) ? 2 : 1;
  for (std::size_t slot = 0; slot < slots; ++slot)
    add_fresh_slot(state.slots, model.arena(), optimizer);
  for (const auto [slot, weight] : keras3_slot_order(optimizer, parameters.size())) {
    const Parameter& parameter = *parameters[weight];
    const std::string path = path_of(number++);
    if (!file.exists(path) || file.dataset_info(path).extents != parameter.shape)
      return std::nullopt;
    std::ranges::copy(file.read_floats(path, parameter.shape),
                      state.slots[slot].begin() + parameter.offset);
  }
  if (optimizer.kept_scalar() && is_scalar(number)) ++number;
  if (slots > 0 && file.exists(path_of(number))) return std::nullopt;
  return state;
}

}  // namespace lockstep
