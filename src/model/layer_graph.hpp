#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/core/problems.hpp"

namespace lockstep {

/// The order in which the layers of a functional model follow each other, from its input to its
/// output, as indices into config["layers"], which Keras writes in any order. `path`: that of the
/// list, for messages: "config.layers". Adds a problem for all that keeps the graph from being one
/// chain (a layer with two inputs or two followers, one that is used twice, a second output, ...),
/// naming the layers; the order is then that of the list.
std::vector<std::size_t> order_of_chain(const nlohmann::ordered_json& config,
                                        const std::string& path, Problems& problems);

}  // namespace lockstep
