#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lockstep {

/// How many bytes from the beginning are whole characters of valid UTF-8 (Unicode 15, table 3-7:
/// no overlong forms, no surrogates, nothing above U+10FFFF): text.size() if all are.
std::size_t valid_utf8(std::string_view text);

/// The character that begins at `at` of valid UTF-8; moves `at` behind it.
char32_t next_character(std::string_view text, std::size_t& at);

/// Appends a code point as UTF-8.
void append_utf8(char32_t code, std::string& text);

}  // namespace lockstep
