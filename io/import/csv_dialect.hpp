#pragma once

#include <string_view>

namespace lockstep {

/// Stands for any run of blanks and tabs as separator.
constexpr char kBlanks = ' ';

/// What separates the fields of a table that begins with `sample`: ',', ';', '\t', '|' or kBlanks.
/// The one that cuts every line into as many fields; commas inside numbers ("1,5;2,5") do not
/// count.
char find_separator(std::string_view sample);

/// "comma", "semicolon", "tab", "bar", "blanks", for people.
const char* separator_name(char separator);

}  // namespace lockstep
