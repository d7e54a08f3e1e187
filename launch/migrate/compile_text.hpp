#pragma once

#include "launch/migrate/migration.hpp"
#include "launch/migrate/script_reader.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// model.compile(...) as options of `lockstep train`. `classes`: the script's targets are classes
/// as 0 and 1, but the dataset has their numbers.
void compile_settings(ScriptReader& reader, const ScriptModel& model, bool classes,
                      MigratedRun& run);

/// Whether the loss and the metrics of one-hot targets can be said of classes' numbers.
bool may_take_classes(const ScriptModel& model);

/// A number as it is read back.
std::string number_words(const nlohmann::ordered_json& number);

}  // namespace lockstep
