#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "src/optimizers/optimizer.hpp"

namespace lockstep {

/// A slot of one of the weights that are trained, both by their numbers.
struct SlotOfWeight {
  std::size_t slot;
  std::size_t weight;
};

/// How the files of a Keras follow one another. Keras 3: averages, accumulated gradients, then the
/// slots of its update rule, of which some stand side by side: m1, v1, m2, v2, ..., then amsgrad's
/// maxima. The legacy optimizers of Keras 2: all m, then all v.
std::vector<SlotOfWeight> keras3_slot_order(const Optimizer& optimizer, std::size_t weights);
std::vector<SlotOfWeight> keras2_slot_order(const Optimizer& optimizer, std::size_t weights);

/// Whether Keras 2's legacy optimizers know its class and all of its settings, and keep the same:
/// not AdamW, Lion, Nadam, or an optimizer with weight decay.
bool is_known_to_keras2(const Optimizer& optimizer);

/// What Keras 2, tf_keras and Keras 3 call a slot.
std::vector<std::string_view> names_of_slot(std::string_view slot);
/// Whether some Keras calls some slot so.
bool is_name_of_slot(std::string_view name);

}  // namespace lockstep
