#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// One line `key = value` of a config file.
struct ConfigEntry {
  std::string key;
  std::string value;
  int line = 0;  ///< from 1
};

/// Reads `key = value` lines. `#` begins a comment at the start of a line or behind a blank. A
/// value that holds `#`, or blanks at its ends, stands in double quotes (with \" \\ and \n inside).
/// Throws Error (64) with `name` and the line: no `=`, a key twice, an open quote.
std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& name);

/// A line that parse_config reads back.
std::string config_line(const std::string& key, const std::string& value);

}  // namespace lockstep
