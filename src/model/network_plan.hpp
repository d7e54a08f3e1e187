#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/model/layer_source.hpp"
#include "src/model/model_blueprint.hpp"
#include "src/model/network.hpp"
#include "src/model/network_remarks.hpp"

namespace lockstep {

/// The layers of a network and how they are applied to each other, models that are layers replaced
/// by theirs.
struct NetworkPlan {
  std::string name;
  std::vector<LayerSource> layers;
  std::vector<Network::Call> calls;  ///< none: only the layers themselves can be looked at
  std::vector<Network::Output> outputs;
  std::optional<Shape> built_for;
  std::vector<std::size_t> file_order;  ///< see NetworkRemarks
  bool functional = false;              ///< as it was written
  std::size_t tensors = 0;              ///< inputs and outputs of all uses of layers and models
  /// What a model that is a layer says about its input: the value, and the InputLayer that it must
  /// agree with.
  struct InputCheck {
    Network::Output value;
    LayerSource input;
  };
  std::vector<InputCheck> input_checks;
};

/// Layers that follow each other.
NetworkPlan plan_chain(std::string name, std::vector<LayerSource> layers);

/// In Keras's order of layers: of a functional model by depth. Layers of nested models get other
/// names where theirs are taken. Adds to `problems` what `fit` lacks.
NetworkPlan plan_network(ReadModel read, Problems& problems, NetworkRemarks* remarks);

/// A Dense whose activation is a layer with settings (LeakyReLU) becomes two layers.
void split_activations(NetworkPlan& plan, ExitCode code, Problems& problems);

}  // namespace lockstep
