#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "io/hdf5/hdf5.hpp"

namespace lockstep {

/// Every layer of a network of Keras, whatever its classes, as its JSON lists them: name, class,
/// and if `weights` has weights of it (in either of Keras's layouts) the number of its parameters.
/// Models that are layers are followed by theirs, with "inside/" in front of the names. Empty for
/// JSON that lists no layers.
nlohmann::ordered_json list_layers(const nlohmann::ordered_json& model, const hdf5::File* weights);

}  // namespace lockstep
