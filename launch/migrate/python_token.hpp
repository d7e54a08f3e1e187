#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// A word of a Python script.
struct Token {
  enum class Kind : std::uint8_t {
    kName,
    kNumber,
    kString,     ///< `text`: its value
    kFormatted,  ///< an f-string, whose value nobody knows
    kOperator,
    kNewline,  ///< a statement's end
    kIndent,
    kDedent,
    kEnd,
  };
  Kind kind;
  std::string text;
  std::size_t begin = 0, end = 0;  ///< bytes of the script
  int line = 0;                    ///< from 1

  bool is(std::string_view word) const {
    return (kind == Kind::kOperator || kind == Kind::kName) && text == word;
  }
};

/// The script's words, as Python 3 tells them apart. Lines of notebooks (`!pip ...`, `%matplotlib`)
/// count as comments. Throws Error (65) with `name` and the line for what is not Python.
std::vector<Token> python_tokens(const std::string& script, const std::string& name);

}  // namespace lockstep
