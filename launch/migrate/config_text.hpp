#pragma once

#include <string>

#include "launch/migrate/migration.hpp"

namespace lockstep {

/// The config file of a run, with comments that say how its dataset is made and how it is started.
/// `script`, `config`, `model`: the names of these files; `notes`: to the first run of a script.
std::string config_text(const MigratedRun& run, const std::string& script,
                        const std::string& config, const std::string& model,
                        const std::vector<std::string>& notes);

/// Whether `lockstep train` takes the config's words; throws its Error otherwise.
void check_config(const MigratedRun& run, const std::string& text, const std::string& config);

}  // namespace lockstep
