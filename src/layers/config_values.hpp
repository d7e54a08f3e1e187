#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/keras_config.hpp"
#include "src/parameters/constraint.hpp"
#include "src/parameters/initializer.hpp"
#include "src/parameters/regularizer.hpp"

namespace lockstep {

/// What several classes of layers have in their configs. Wrong values become problems of the key.

std::shared_ptr<const Initializer> read_initializer(
    KerasConfig& config, const std::string& key,
    const std::shared_ptr<const Initializer>& fallback);
Regularizer read_regularizer(KerasConfig& config, const std::string& key);
/// One of another name is a problem of training alone.
Constraint read_constraint(KerasConfig& config, const std::string& key);
/// A name, or Keras 3's {"class_name": "function", "config": "relu"}; linear if the key is missing
/// and not required. (An activation that is a layer has become one: see split_activations().)
Activation read_activation(KerasConfig& config, bool required = false);
/// The same of any key, with the activation that a missing key means.
Activation read_activation(KerasConfig& config, const std::string& key, Activation fallback);
/// An axis or a list of axes: -1 is the last, 0 the batch. [-1] if the key is missing.
std::vector<std::int64_t> read_axes(KerasConfig& config, const std::string& key);
/// A number of at least `low` and at most `high`.
double read_number(KerasConfig& config, const std::string& key, double fallback, double low,
                   double high);

}  // namespace lockstep
