#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lockstep {

struct PythonCall;

/// A literal, as JSON (a name that is none of Python's constants is a string), a call, or a list
/// with calls in it.
struct PythonValue {
  nlohmann::ordered_json json;
  std::shared_ptr<const PythonCall> call = nullptr;
  std::vector<PythonValue> list = {};
};

struct PythonArgument {
  std::string keyword;  ///< empty: positional
  PythonValue value;
  std::size_t column = 0;  ///< of the keyword, else of the value
};

/// Dense(64, activation=relu). Of a dotted name (`layers.Dense`) the last part counts.
struct PythonCall {
  std::string name;
  std::vector<PythonArgument> arguments;
  std::size_t column = 0;  ///< in bytes, from 1
};

/// Calls with commas between them, in the part of Python's syntax that layers need:
///   calls    = call {"," call} [","]
///   call     = name "(" [argument {"," argument} [","]] ")"
///   argument = [name "="] value
///   value    = number {"/" number} | string | name | call | "(" values ")" | "[" values "]"
/// Throws Error (64) with the column, what was expected there, and what was found.
std::vector<PythonCall> parse_python_calls(const std::string& text);

}  // namespace lockstep
