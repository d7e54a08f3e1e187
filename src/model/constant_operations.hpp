#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep {

/// An operation of a functional model on one tensor and one number (`x / 255`, `x - 1.0`, `x + 3`)
/// as the Rescaling that does the same; a layer of another kind stays as it is.
nlohmann::ordered_json as_rescaling(const nlohmann::ordered_json& layer);

}  // namespace lockstep
