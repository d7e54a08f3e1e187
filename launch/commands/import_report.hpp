#pragma once

#include <filesystem>
#include <string>

#include "launch/commands/import_arrays.hpp"

namespace lockstep {

/// What was imported: the notes, then a line for each array and for each class.
std::string import_report(const std::filesystem::path& out, const NamedArrays& dataset);

}  // namespace lockstep
