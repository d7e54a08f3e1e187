#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/model/network.hpp"
#include "src/model/network_remarks.hpp"

namespace lockstep {

/// A layer to be made, and where it was asked for.
struct LayerSource {
  std::string class_name;
  nlohmann::ordered_json config;
  KerasConfig::Locate locate;
  KerasMajor keras = KerasMajor::k3;  ///< whose words the config is in
  std::string store = {};             ///< see NetworkRemarks
  bool nested = false;                ///< in a model that is a layer of another
};

/// Makes the layers and builds the model if an InputLayer in front, the first layer's
/// `batch_input_shape` or else `input` gives the input shape. A Dense whose activation is a layer
/// with settings (LeakyReLU) becomes two layers. What cannot be made, built, or is too large,
/// throws one error of this code with the places of all such layers, before memory is allocated; so
/// does, without `remarks`, what only training lacks.
Network model_from_sources(const std::string& name, std::vector<LayerSource> sources,
                           const std::optional<Shape>& input, ExitCode code,
                           NetworkRemarks* remarks = nullptr);

}  // namespace lockstep
