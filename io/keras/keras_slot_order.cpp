#include "io/keras/keras_slot_order.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace lockstep {
namespace {

/// Ours, which are those of Keras 2's legacy optimizers, first.
const std::vector<std::vector<std::string_view>> kNames = {
    {"m", "momentum"},
    {"v", "velocity", "u", "norm"},  // the last two are Adamax's
    {"vhat", "velocity_hat"},
    {"momentum", "m"},
    {"rms", "velocity"},
    {"mg", "average_gradient"},
    {"accumulator"},
    {"accum_grad", "accumulated_grad"},
    {"accum_var", "accumulated_delta_var"},
    {"linear"},
    {"average"},
    {"gradient_accumulator"},
};

/// Groups of slots that stand side by side.
using Groups = std::vector<std::vector<std::size_t>>;

std::vector<SlotOfWeight> in_order(const Groups& groups, std::size_t weights) {
  std::vector<SlotOfWeight> order;
  for (const auto& group : groups)
    for (std::size_t weight = 0; weight < weights; ++weight)
      for (const std::size_t slot : group) order.push_back({slot, weight});
  return order;
}

/// A slot that any optimizer may have.
bool is_common(const std::string& slot) {
  return slot == "average" || slot == "gradient_accumulator";
}

}  // namespace

std::vector<SlotOfWeight> keras3_slot_order(const Optimizer& optimizer, std::size_t weights) {
  const std::vector<std::string> names = optimizer.slot_names();
  const bool side_by_side = optimizer.class_name() != "RMSprop";
  Groups common, rule;
  for (std::size_t slot = 0; slot < names.size(); ++slot) {
    if (is_common(names[slot])) {
      common.push_back({slot});
    } else if (slot == 1 && side_by_side) {
      rule.front().push_back(slot);
    } else {
      rule.push_back({slot});
    }
  }
  common.insert(common.end(), rule.begin(), rule.end());
  return in_order(common, weights);
}

std::vector<SlotOfWeight> keras2_slot_order(const Optimizer& optimizer, std::size_t weights) {
  const std::size_t slots = optimizer.slot_names().size();
  if (optimizer.class_name() == "Ftrl") return in_order({{0, 1}}, weights);
  Groups groups;
  for (std::size_t slot = 0; slot < slots; ++slot) groups.push_back({slot});
  return in_order(groups, weights);
}

bool is_known_to_keras2(const Optimizer& optimizer) {
  constexpr std::array<std::string_view, 7> kClasses = {"Adam",     "SGD",    "RMSprop", "Adagrad",
                                                        "Adadelta", "Adamax", "Ftrl"};
  const CommonSettings& common = optimizer.common();
  return std::ranges::find(kClasses, optimizer.class_name()) != kClasses.end() &&
         common.weight_decay == 0 && !common.use_ema && !common.accumulates();
}

std::vector<std::string_view> names_of_slot(std::string_view slot) {
  for (const auto& names : kNames)
    if (names.front() == slot) return names;
  return {slot};
}

bool is_name_of_slot(std::string_view name) {
  return std::ranges::any_of(
      kNames, [&](const auto& names) { return std::ranges::find(names, name) != names.end(); });
}

}  // namespace lockstep
