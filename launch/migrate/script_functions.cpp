#include <algorithm>
#include <utility>

#include "launch/migrate/script_reader.hpp"

// Functions, and where names are found.

namespace lockstep {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;

const ScriptValue* ScriptReader::find(const std::string& name) const {
  const ScriptScope* scope = scope_;
  if (const auto other = scope->elsewhere.find(name); other != scope->elsewhere.end())
    scope = other->second;
  for (; scope != nullptr; scope = scope->outer)
    if (const auto found = scope->values.find(name); found != scope->values.end())
      return &found->second;
  return nullptr;
}

void ScriptReader::bind(const std::string& name, Value value) {
  const auto other = scope_->elsewhere.find(name);
  ScriptScope* scope = other != scope_->elsewhere.end() ? other->second : scope_;
  scope->values[name] = std::move(value);
}

std::set<std::string> ScriptReader::names() const {
  std::set<std::string> all;
  for (const ScriptScope* scope = scope_; scope != nullptr; scope = scope->outer)
    for (const auto& [name, value] : scope->values) all.insert(name);
  return all;
}

void ScriptReader::look_elsewhere(const Statement& statement) {
  for (const auto& [none, name] : statement.imports) {
    ScriptScope* scope = &global_;
    if (statement.name == "nonlocal")
      for (scope = scope_->outer; scope != nullptr && !scope->values.contains(name);)
        scope = scope->outer;
    if (scope != nullptr && scope != scope_) scope_->elsewhere[name] = scope;
  }
}

ScriptValue ScriptReader::make_function(const std::vector<PythonParameter>& parameters) {
  Value function;
  function.kind = Kind::kFunction;
  function.scope = scope_;
  for (ScriptScope* scope = scope_; scope != nullptr && !scope->kept; scope = scope->outer)
    scope->kept = true;
  function.items = std::make_shared<std::vector<Value>>();
  for (const PythonParameter& parameter : parameters)
    function.items->push_back(parameter.value ? evaluate(parameter.value) : Value());
  return function;
}

ScriptValue ScriptReader::run_function(const Value& function, const ScriptArguments& arguments) {
  const bool named = function.function != nullptr;
  const auto& parameters = named ? function.function->parameters : function.lambda->arguments;
  if (calls_ >= 40) {
    unread(line_, "functions call each other too deeply");
    return opaque();
  }
  auto scope = std::make_unique<ScriptScope>();
  scope->outer = function.scope;
  const bool unknown = std::ranges::any_of(arguments, &ScriptArgument::unknown);
  std::vector<bool> used(arguments.size());
  std::size_t next = 0;  // by position
  const auto take_next = [&]() -> const Value* {
    while (next < arguments.size() && (!arguments[next].keyword.empty() || arguments[next].unknown))
      ++next;
    if (next >= arguments.size()) return nullptr;
    used[next] = true;
    return &arguments[next++].value;
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const PythonParameter& parameter = parameters[i];
    Value& value = scope->values[parameter.name];
    if (parameter.stars == 1) {
      std::vector<Value> rest;
      while (const Value* one = take_next()) rest.push_back(*one);
      value = unknown ? opaque_of(arguments) : sequence_value(Kind::kTuple, std::move(rest));
    }
    if (parameter.stars > 0) continue;
    const Value* given = nullptr;
    for (std::size_t k = 0; k < arguments.size() && given == nullptr; ++k)
      if (arguments[k].keyword == parameter.name) {
        given = &arguments[k].value;
        used[k] = true;
      }
    if (given == nullptr) given = take_next();
    value = given != nullptr              ? *given
            : parameter.value && !unknown ? (*function.items)[i]
                                          : opaque_of(arguments);
  }
  const auto rest = std::ranges::find(parameters, 2, &PythonParameter::stars);
  std::vector<Value> others;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (used[k] || arguments[k].unknown) continue;
    if (rest == parameters.end() || arguments[k].keyword.empty()) {
      unread(line_, "an argument that the function does not have", true);
      continue;
    }
    others.push_back(constant_value(arguments[k].keyword));
    others.push_back(arguments[k].value);
  }
  if (rest != parameters.end())
    scope->values[rest->name] =
        unknown ? opaque_of(arguments) : sequence_value(Kind::kDict, std::move(others));
  ++calls_;
  ScriptScope* const before = std::exchange(scope_, scope.get());
  const int line = line_, statement = statement_;
  Value value = constant_value(nullptr);
  if (!named) {
    value = evaluate(function.lambda->parts[0]);
  } else if (execute(function.function->body) == Flow::kReturn) {
    value = std::move(returned_);
  }
  line_ = line;
  statement_ = statement;
  scope_ = before;
  if (scope->kept) kept_.push_back(std::move(scope));
  --calls_;
  return value;
}

}  // namespace lockstep
