#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lockstep {

/// What an HDF5 file is: `kind` is "dataset", "model", "checkpoint" (a model with Lockstep's
/// training state), "weights" (Keras 2's save_weights) or "keras3_weights"; the other keys depend
/// on it. `problem` is there if a part of the file cannot be used, and says why. Throws Error: 66,
/// 77, 65 for a damaged file or one that is nothing of these.
nlohmann::ordered_json inspect_file(const std::filesystem::path& path);

/// How a dataset's or a model's rows are made of a table or of texts, in one line, out of the
/// mapping that lockstep import left in it. Throws Error (65), naming `where`.
std::string mapping_line(const std::string& json, const std::string& where);

/// The report for people.
std::string inspection_text(const nlohmann::ordered_json& report);

}  // namespace lockstep
