#pragma once

#include <optional>
#include <string>

#include "launch/migrate/script_reader.hpp"

namespace lockstep {

/// A schedule of Python, `def schedule(epoch, rate)` or a lambda, in the words of
/// --learning-rate-expression; none: it cannot be said in them.
std::optional<std::string> rate_text(ScriptReader& reader, const ScriptValue& schedule);

}  // namespace lockstep
