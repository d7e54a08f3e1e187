#pragma once

#include <exception>

#include "src/core/error.hpp"

namespace lockstep {

/// What any exception means for a program: an Error's own code; lack of memory 74; what the system
/// refused 77 (permission), 66 (not there) or 74; anything else 70.
ExitCode exit_code_of(const std::exception& error);

}  // namespace lockstep
