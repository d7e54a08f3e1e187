#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// With small letters for A to Z, whatever the locale.
std::string lower_case(std::string_view text);

/// Without the spaces around it.
std::string trimmed(std::string_view text);

/// "adam, sgd or lion".
std::string alternatives(std::span<const std::string> words);

}  // namespace lockstep
