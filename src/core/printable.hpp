#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// Foreign text as it may stand in a message: valid UTF-8 as it is, but each byte of control,
/// bidirectional and invisible characters, and of what is no UTF-8, becomes \xNN; what exceeds
/// `limit` bytes becomes "...". No terminal obeys it.
std::string printable(std::string_view text, std::size_t limit = 400);

/// "; did you mean 'Dense'?" for the known word that takes the fewest edits, if that is few.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace lockstep
