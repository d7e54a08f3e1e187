#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

/// Of a call; or a parameter of a function, whose `value` is its default.
struct PythonParameter {
  std::string name;  ///< empty: by position
  int stars = 0;     ///< *rest, **rest
  ExpressionPtr value;
};

struct Expression {
  enum class Kind : std::uint8_t {
    kConstant,      ///< `constant`
    kUnreadable,    ///< f-strings, ...: only Python knows its value. Of *x, `words[0]` is *
    kName,          ///< `words[0]`
    kAttribute,     ///< `parts[0]`.`words[0]`
    kCall,          ///< `parts[0]`(`arguments`)
    kSubscript,     ///< `parts[0]`[`parts[1]`]
    kSlice,         ///< `parts[0]`:`parts[1]`:`parts[2]`, null if left out
    kList,          ///< `parts`
    kTuple,         ///< `parts`
    kDict,          ///< `parts`: key, value, key, value, ...
    kUnary,         ///< `words[0]` `parts[0]`
    kBinary,        ///< `parts[0]` `words[0]` `parts[1]`
    kCompare,       ///< `parts[0]` `words[0]` `parts[1]` `words[1]` `parts[2]` ...
    kLogic,         ///< `words[0]` is and, or; of `parts`
    kConditional,   ///< `parts[0]` if `parts[1]` else `parts[2]`
    kLambda,        ///< `arguments`: its parameters; `parts[0]`
    kComprehension  ///< [`parts[0]` for `parts[1]` in `parts[2]` if `parts[3]`]
  };
  Kind kind = Kind::kUnreadable;
  int line = 0;
  std::size_t begin = 0, end = 0;  ///< bytes of the script
  int depth = 1;                   ///< of expressions in each other
  nlohmann::ordered_json constant = {};
  std::vector<std::string> words = {};
  std::vector<ExpressionPtr> parts = {};
  std::vector<PythonParameter> arguments = {};
};

struct Statement {
  enum class Kind : std::uint8_t {
    kExpression,  ///< `value`
    kAssign,      ///< `targets` = `value`
    kAugmented,   ///< `targets[0]` `name`= `value`
    kImport,      ///< `imports`
    kIf,          ///< `value`, `body`, `otherwise`
    kFor,         ///< `targets[0]` in `value`, `body`
    kWith,        ///< `targets`, `body`
    kBlock,       ///< of try: `body`; `otherwise`: of its handlers
    kDef,         ///< `name`, `parameters`, `body`
    kReturn,      ///< `value` or null
    kBreak,
    kContinue,
    kPass,        ///< that changes nothing here: pass, assert, raise
    kElsewhere,   ///< `name` is global, nonlocal; `imports`: its names
    kDelete,      ///< `targets`
    kUnreadable,  ///< class: with all that is in it
    kWhile        ///< `body`
  };
  Kind kind = Kind::kUnreadable;
  int line = 0;
  std::size_t begin = 0, end = 0;  ///< of the text to quote: its first line
  std::string name = {};
  std::vector<ExpressionPtr> targets = {};
  ExpressionPtr value = {};
  /// (what is imported, with dots; the name that it gets, or "*")
  std::vector<std::pair<std::string, std::string>> imports = {};
  std::vector<PythonParameter> parameters = {};
  std::vector<Statement> body = {}, otherwise = {};
};

}  // namespace lockstep
