#pragma once

#include <memory>

#include "launch/migrate/script_reader.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// model.fit(...): adds a run to the reader's migration.
void fit(ScriptReader& reader, const std::shared_ptr<ScriptModel>& model,
         const ScriptArguments& arguments);
/// model.evaluate(...) after it: the run evaluates the same rows.
void evaluated(ScriptReader& reader, const ScriptModel& model, const ScriptArguments& arguments);
/// The network of the last run becomes a .keras file.
void keep_as_keras(ScriptReader& reader, ScriptModel& model);

}  // namespace lockstep
