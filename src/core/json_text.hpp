#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lockstep {

inline constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 20;

/// Parses foreign JSON in time that grows with its length. Throws Error (65), beginning with
/// `what`, with line and column for syntax errors, and for what would harm: more than
/// kMaxJsonBytes, more than 64 levels of nesting (its users recurse), an object of more than 200
/// keys or with one key twice (libraries would drop one of the values).
nlohmann::ordered_json parse_json(const std::string& text, const std::string& what);

/// The same limit of nesting for JSON that did not come as text.
void check_nesting(const nlohmann::ordered_json& json, const std::string& what);

}  // namespace lockstep
