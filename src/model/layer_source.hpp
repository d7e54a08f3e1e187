#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/layers/layer_config.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// A layer to be made, and where it was asked for.
struct LayerSource {
  std::string class_name;
  nlohmann::ordered_json config;
  LayerConfig::Locate locate;
};

/// Makes the layers and builds the model if an InputLayer in front, the first layer's
/// `batch_input_shape` or else `input` gives the input shape. What cannot be built, or is too
/// large, throws an error of this code with the place of the layer, before memory is allocated.
Sequential model_from_sources(const std::string& name, const std::vector<LayerSource>& sources,
                              const std::optional<Shape>& input, ExitCode code);

}  // namespace lockstep
