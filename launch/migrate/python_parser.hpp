#pragma once

#include <string>
#include <vector>

#include "launch/migrate/python_tree.hpp"

namespace lockstep {

/// The statements of a Python script. Throws Error (65) with `name`, the line, what was expected
/// there and what was found.
std::vector<Statement> parse_python(const std::string& script, const std::string& name);

}  // namespace lockstep
