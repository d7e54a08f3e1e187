#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/core/problems.hpp"
#include "src/model/call_masks.hpp"
#include "src/model/layer_source.hpp"
#include "src/model/model_blueprint.hpp"

namespace lockstep {

/// A functional model in JSON whose parts are read.
struct FunctionalSource {
  const nlohmann::ordered_json& config;
  const NumberedLayers& listed;
  std::string path;        ///< of its layers, for messages
  bool has_input = false;  ///< from a model around it
  bool in_order = false;   ///< the calls of each layer are listed in the order of a pass
  const std::vector<LayerSource>& layers;
};

/// Applies the blueprint's parts to each other as `inbound_nodes`, `input_layers` and
/// `output_layers` say. Adds to `problems` names and calls that are missing, and circles.
void wire(const FunctionalSource& source, ModelBlueprint& blueprint, Problems& problems);

}  // namespace lockstep
