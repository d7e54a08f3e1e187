#pragma once

#include <optional>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "src/core/numerics.hpp"

namespace lockstep {

/// --numerics: "exact" or "fast"; throws Error (64) for another word.
Numerics numerics_from_text(const std::string& text);

/// What the user wants; else exact, unless a CPU would have to emulate it.
Numerics choose_numerics(std::optional<Numerics> wanted, bool every_cpu_has_fma);

/// The same for all ranks; rank 0 warns of what is lost. Collective.
Numerics choose_numerics(const Communicator& world, std::optional<Numerics> wanted);

}  // namespace lockstep
