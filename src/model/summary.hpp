#pragma once

#include <string>

#include "src/model/network.hpp"

namespace lockstep {

/// Keras 2's model.summary() table: layer (type), output shape, parameters, totals.
std::string summary(const Network& model);

}  // namespace lockstep
