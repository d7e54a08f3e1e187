#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/model/layer_source.hpp"

namespace lockstep {

/// A model as its JSON describes it: what it consists of, and how that is applied to each other.
/// A model may be a layer of another, and be used several times.
struct ModelBlueprint {
  /// A layer, by its number among the layers of all models, or a model.
  struct Part {
    std::string name;
    std::optional<std::size_t> layer;
    std::unique_ptr<ModelBlueprint> model;
  };
  /// An output of a use of a part; or one of the model's own inputs.
  struct Tensor {
    std::optional<std::size_t> use;
    std::size_t output = 0;
  };
  struct Use {
    std::size_t part;
    std::vector<Tensor> inputs;  ///< none: an InputLayer, or a first layer without one
    bool inference = false;
    std::optional<bool> causal = {};
    bool unmasked = false;  ///< see Network::Call
  };

  std::string name;
  std::vector<Part> parts;
  std::vector<Use> uses;  ///< in an order in which they can be made
  std::size_t inputs = 0;
  /// The InputLayer that stands for an input, if there is one; by input.
  std::vector<std::optional<std::size_t>> input_layers;
  std::vector<Tensor> outputs;
};

/// The blueprint of the JSON of a model, {"class_name", "config"}; its layers are added to
/// `layers`.
struct ReadModel {
  ModelBlueprint blueprint;
  std::vector<LayerSource> layers;
  std::optional<Shape> built_for;  ///< Keras 3's or 2's build_input_shape of a Sequential
  bool has_models = false;         ///< as layers
  bool functional = false;
};

/// Sequential, or a functional model by one of its names.
bool is_model_class(const nlohmann::ordered_json& class_name);

/// Throws ProblemsError (65) for what is no model of Keras; adds to `problems` what else is wrong.
/// Nothing is made of the layers yet.
ReadModel read_model_blueprint(const nlohmann::ordered_json& model, KerasMajor keras,
                               Problems& problems);

}  // namespace lockstep
