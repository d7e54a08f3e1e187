#pragma once

#include "launch/migrate/migration.hpp"
#include "launch/migrate/script_reader.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// The callbacks of fit() as options of `lockstep train`.
void callback_settings(ScriptReader& reader, const ScriptValue& callbacks, MigratedRun& run);

}  // namespace lockstep
