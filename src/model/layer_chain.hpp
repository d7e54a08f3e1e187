#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/model/layer_source.hpp"

namespace lockstep {

bool is_model_class(const std::string& class_name);  ///< Sequential, Functional, Model

/// "model JSON: config.name", where `path` is "config".
KerasConfig::Locate below(const std::string& path);

/// The layers of a network in the order in which they follow each other, models that are layers
/// replaced by theirs, from the JSON of a model: {"class_name", "config"}.
struct LayerChain {
  std::string name;
  std::vector<LayerSource> layers;
  std::optional<Shape> built_for;  ///< Keras 3's or 2's build_input_shape of a Sequential
};

/// Throws ProblemsError (65) for what is no model of Keras; adds to `problems` what else is wrong
/// with the graph. Nothing is made of the layers yet.
LayerChain layer_chain(const nlohmann::ordered_json& model, KerasMajor keras, Problems& problems,
                       NetworkRemarks* remarks);

}  // namespace lockstep
