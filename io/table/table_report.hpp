#pragma once

#include <string>
#include <vector>

#include "io/table/make_mapping.hpp"

namespace lockstep {

/// What was taken for what: one line for the table, then one for each column that is not a plain
/// number.
std::vector<std::string> table_report(const TextTable& table, const NewMapping& made);

}  // namespace lockstep
