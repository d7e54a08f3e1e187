#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "launch/migrate/network_text.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// The layers of a network in which each one follows the one before, models in it replaced by
/// theirs but for those from files; none: it is no such network.
std::optional<std::vector<std::shared_ptr<ScriptLayer>>> chain_of(const ScriptModel& model);

/// Its layers, those of models in it among them, that are not trained.
std::set<std::shared_ptr<ScriptLayer>> frozen_layers(const ScriptModel& model);

/// Layers that do to rows what the script does to them.
std::vector<ScriptLayer> layers_of_changes(const nlohmann::ordered_json& changes);

/// Any network in the form of Keras 2's to_json(); null: it cannot be written, and the reader is
/// told why. `names`: of the layers in it.
nlohmann::ordered_json graph_json(ScriptReader& reader, const ScriptModel& model,
                                  const std::optional<RowsAsTheyAre>& rows,
                                  std::map<std::shared_ptr<ScriptLayer>, std::string>& names);

}  // namespace lockstep
