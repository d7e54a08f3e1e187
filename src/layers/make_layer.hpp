#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// A layer class as one writes it in Python.
struct LayerSignature {
  std::string class_name;              ///< Keras's: "Dense"
  std::vector<std::string> arguments;  ///< in the order of positions, by their keys in a config
  bool is_activation = false;          ///< may stand as a Dense's activation, too
};
/// Of the layers that Lockstep has; and their class names.
const std::vector<LayerSignature>& layer_signatures();
const std::vector<std::string>& layer_class_names();

/// The one place that knows all layer classes: a layer from Keras's class name and config (of
/// Keras 2 or 3), with Keras's defaults for what is missing. Throws the config's error for a class,
/// key or value that Lockstep lacks. Accepted without effect: a Dropout's seed (the run's seed and
/// the layer's position decide) and `batch_input_shape` (what a model makes of it is up to the
/// model).
std::unique_ptr<Layer> make_layer(const std::string& class_name, KerasConfig& config);
/// The same of a layer that is made already, by what its class alone has in its config: reads what
/// all have.
std::unique_ptr<Layer> finished_layer(std::unique_ptr<Layer> layer, const std::string& class_name,
                                      KerasConfig& config);

}  // namespace lockstep
