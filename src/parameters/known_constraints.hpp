#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep {

/// Whether make_constraint() knows one of that name, whatever its settings.
bool is_known_constraint(const nlohmann::ordered_json& json);

}  // namespace lockstep
