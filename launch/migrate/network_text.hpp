#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launch/migrate/script_reader.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// What the network of a script reads: rows as a dataset has them, and what the script does to them
/// before its network sees them.
struct RowsAsTheyAre {
  Shape shape;
  nlohmann::ordered_json changes;  ///< see ScriptArray
};

/// A network in the words of `lockstep train`.
struct NetworkText {
  std::string layers;      ///< of a chain
  std::string model_json;  ///< of any other network
  std::string from, freeze, unfreeze, replace_head;
};

/// None if it cannot be written; the reader is told why. `rows`: what is put in front of it.
std::optional<NetworkText> network_text(ScriptReader& reader, ScriptModel& model,
                                        const std::optional<RowsAsTheyAre>& rows);

/// Whether the network begins with one that is read from a file.
bool begins_with_file(const std::shared_ptr<ScriptModel>& model);

/// A value as it stands in a line of layers.
std::string words_of(const nlohmann::ordered_json& value);

}  // namespace lockstep
