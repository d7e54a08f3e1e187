#include "launch/migrate/script_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/python_arithmetic.hpp"
#include "launch/migrate/python_parser.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/core/words.hpp"

namespace lockstep {

ScriptReader::ScriptReader(const std::string& script, const std::string& name)
    : script_(script), name_(name), statements_(parse_python(script, name)) {}

Migration ScriptReader::run() {
  execute(statements_);
  for (const auto& [line, reason] : pending_) unread(line, reason);
  return std::move(migration_);
}

void ScriptReader::unread(int line, const std::string& reason, bool fatal) {
  Migration::Unread& entry = migration_.unread[line];
  if (entry.reason.find(reason) == std::string::npos)
    entry.reason += (entry.reason.empty() ? "" : "; ") + reason;
  entry.fatal = entry.fatal || fatal;
}

void ScriptReader::note(const std::string& text) {
  if (std::ranges::find(migration_.notes, text) == migration_.notes.end())
    migration_.notes.push_back(text);
}

void ScriptReader::is_data(const std::set<int>& lines) {
  for (const int line : lines) pending_.erase(line);
}

std::string ScriptReader::source(const Expression& expression) const {
  return script_.substr(expression.begin, expression.end - expression.begin);
}

const ScriptValue* ScriptReader::find(const std::string& name) const {
  for (const Scope* scope : {&scopes_.back(), &scopes_.front()}) {
    const auto found = scope->find(name);
    if (found != scope->end()) return &found->second;
  }
  return nullptr;
}

std::set<std::string> ScriptReader::names() const {
  std::set<std::string> all;
  for (const Scope* scope : {&scopes_.back(), &scopes_.front()})
    for (const auto& [name, value] : *scope) all.insert(name);
  return all;
}

/// A script may loop for ever, or nearly so; this does not.
void ScriptReader::step() {
  check(++steps_ <= 1'000'000, ExitCode::kBadData,
        "[{}] line {}: expected a script that describes a network, got one that does much else",
        printable(name_), line_);
}

ScriptReader::Flow ScriptReader::execute(const std::vector<Statement>& statements) {
  for (const Statement& statement : statements)
    if (const Flow flow = execute(statement); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

ScriptReader::Flow ScriptReader::execute(const Statement& statement) {
  step();
  statement_ = line_ = statement.line;
  switch (statement.kind) {
    case Statement::Kind::kExpression:
      if (statement.value->kind != Expression::Kind::kConstant)  // a text that explains
        tell_opaque(statement, evaluate(statement.value));
      break;
    case Statement::Kind::kAssign: {
      const Value value = evaluate(statement.value);
      for (const ExpressionPtr& target : statement.targets) assign(*target, value);
      tell_opaque(statement, value);
      break;
    }
    case Statement::Kind::kAugmented:
      augment(statement);
      break;
    case Statement::Kind::kImport:
      import(statement);
      break;
    case Statement::Kind::kIf:
      return branch(statement);
    case Statement::Kind::kFor:
      return loop(statement);
    case Statement::Kind::kWith:
      for (const ExpressionPtr& target : statement.targets) assign(*target, opaque());
      return execute(statement.body);
    case Statement::Kind::kBlock:
      return execute(statement.body);
    case Statement::Kind::kDef: {
      Value function;
      function.kind = Kind::kFunction;
      function.function = &statement;
      scopes_.back()[statement.name] = std::move(function);
      break;
    }
    case Statement::Kind::kReturn:
      returned_ = statement.value ? evaluate(statement.value) : constant_value(nullptr);
      return Flow::kReturn;
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
    case Statement::Kind::kPass:
      break;
    case Statement::Kind::kUnreadable:
      pending_.try_emplace(statement.line, "is not understood");
      if (!statement.name.empty()) scopes_.back()[statement.name] = opaque();
      break;
  }
  return Flow::kNext;
}

void ScriptReader::tell_opaque(const Statement& statement, const Value& value) {
  if (!value.is(Kind::kOpaque) || value.is_result) return;
  pending_.try_emplace(statement.line, "is not understood");
}

void ScriptReader::import(const Statement& statement) {
  for (const auto& [what, name] : statement.imports) {
    if (name == "*") {
      wildcards_.push_back(canonical_path(what));
      continue;
    }
    Value value;
    value.kind = Kind::kPath;
    value.text = canonical_path(what);
    scopes_.back()[name] = std::move(value);
  }
}

void ScriptReader::assign(const Expression& target, const Value& value) {
  switch (target.kind) {
    case Expression::Kind::kName:
      scopes_.back()[target.words[0]] = value;
      return;
    case Expression::Kind::kAttribute:
      return assign_attribute(target, value);
    case Expression::Kind::kTuple:
    case Expression::Kind::kList: {
      const auto parts = elements(value);
      const bool fits = parts && parts->size() == target.parts.size();
      for (std::size_t i = 0; i < target.parts.size(); ++i)
        assign(*target.parts[i], fits ? (*parts)[i] : opaque({&value}));
      return;
    }
    case Expression::Kind::kSubscript: {
      // An element of something: of an array it is one more change that is not understood.
      if (target.parts[0]->kind != Expression::Kind::kName) return;
      const Value* of = find(target.parts[0]->words[0]);
      if (of == nullptr || (!of->is(Kind::kArray) && !of->is(Kind::kOpaque))) return;
      if (of->is_result || value.is_result) return;
      Value changed = opaque({of, &value});
      pending_.try_emplace(statement_, "is not understood");
      scopes_.back()[target.parts[0]->words[0]] = std::move(changed);
      return;
    }
    default:
      return;
  }
}

void ScriptReader::assign_attribute(const Expression& target, const Value& value) {
  const Value of = evaluate(target.parts[0]);
  const std::string& name = target.words[0];
  if (name == "trainable" && value.is(Kind::kConstant) && value.constant.is_boolean()) {
    const bool trainable = value.constant.get<bool>();
    if (of.is(Kind::kLayer)) {
      of.layer->trainable = trainable;
      if (of.layer->model) of.layer->model->trainable = trainable;
      return;
    }
    if (of.is(Kind::kModel)) {
      of.model->trainable = trainable;
      for (const auto& layer : of.model->layers) layer->trainable = trainable;
      return;
    }
    if (of.is(Kind::kLoadedLayers)) {
      if (of.count != 0 && of.model->dropped == 0)
        unread(line_, "the names of these layers stand in a file: set freeze to them");
      of.model->trainable = trainable;
      return;
    }
  }
  const bool matters = of.is(Kind::kLayer) || of.is(Kind::kModel) || of.is(Kind::kLoadedLayers);
  if (matters)
    unread(line_, fmt::format("the attribute {} is not carried over", printable(name, 60)));
}

void ScriptReader::augment(const Statement& statement) {
  const Expression& target = *statement.targets[0];
  const Value before = evaluate(statement.targets[0]);
  const Value value = evaluate(statement.value);
  Value after = binary(statement.name, before, value);
  if (before.is(Kind::kList) && value.is_sequence() && statement.name == "+") {
    before.items->insert(before.items->end(), value.items->begin(), value.items->end());
    after = before;
  }
  assign(target, after);
  tell_opaque(statement, after);
}

ScriptReader::Flow ScriptReader::branch(const Statement& statement) {
  const Value condition = evaluate(statement.value);
  if (condition.is(Kind::kConstant))
    return execute(python_truth(condition.constant) ? statement.body : statement.otherwise);
  if (condition.is_sequence())
    return execute(!condition.items->empty() ? statement.body : statement.otherwise);
  if (!condition.is_result)
    unread(statement.line,
           "whether this holds is not known: nothing that depends on it is carried over");
  return Flow::kNext;
}

/// After statements that nobody knows the turns of: what they change is not known either.
void ScriptReader::forget_changed(const std::vector<Statement>& statements, const Value& value) {
  const auto forget = [&](const ExpressionPtr& target) {
    ExpressionPtr base = target;  // of x, x[i], x.append(...)
    while (base && base->kind != Expression::Kind::kName && !base->parts.empty())
      base = base->parts[0];
    if (!base || base->kind != Expression::Kind::kName) return;
    const Value* before = find(base->words[0]);
    if (before == nullptr || !before->is(Kind::kPath))
      scopes_.back()[base->words[0]] = before != nullptr ? opaque({before, &value}) : value;
  };
  for (const Statement& statement : statements) {
    step();
    for (const ExpressionPtr& target : statement.targets) forget(target);
    if (statement.kind == Statement::Kind::kExpression) forget(statement.value);
    forget_changed(statement.body, value);
    forget_changed(statement.otherwise, value);
  }
}

ScriptReader::Flow ScriptReader::loop(const Statement& statement) {
  const Value over = evaluate(statement.value);
  std::optional<std::vector<Value>> values = elements(over);
  if (over.is(Kind::kLoadedLayers)) values = std::vector<Value>{over};
  if (!values) {
    if (over.is_result) return Flow::kNext;
    pending_.try_emplace(statement.line, "what it goes over is not known");
    forget_changed(statement.body, opaque({&over}));
    return Flow::kNext;
  }
  for (const Value& value : *values) {
    assign(*statement.targets[0], value);
    const Flow flow = execute(statement.body);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kReturn) return flow;
  }
  return Flow::kNext;
}

ScriptValue ScriptReader::run_function(const Value& function, const ScriptArguments& arguments) {
  const bool named = function.function != nullptr;
  const auto& parameters = named ? function.function->parameters : function.lambda->arguments;
  Scope scope;
  std::size_t position = 0;
  for (const PythonParameter& parameter : parameters) {
    if (parameter.stars > 0) {
      scope[parameter.name] =
          parameter.stars == 1 ? sequence_value(Kind::kTuple, {}) : sequence_value(Kind::kDict, {});
      continue;
    }
    const Value* given = argument_of(arguments, parameter.name, position++);
    scope[parameter.name] = given != nullptr  ? *given
                            : parameter.value ? evaluate(parameter.value)
                                              : opaque();
  }
  if (++calls_ > 40) {
    --calls_;
    unread(line_, "functions call each other too deeply");
    return opaque();
  }
  scopes_.push_back(std::move(scope));
  const int line = line_, statement = statement_;
  Value value = constant_value(nullptr);
  if (!named) {
    value = evaluate(function.lambda->parts[0]);
  } else if (execute(function.function->body) == Flow::kReturn) {
    value = std::move(returned_);
  }
  line_ = line;
  statement_ = statement;
  scopes_.pop_back();
  --calls_;
  return value;
}

Migration migrate(const std::string& script, const std::string& name) {
  return ScriptReader(script, name).run();
}

std::string quoted_line(const std::string& script, int line) {
  std::size_t begin = 0;
  for (int at = 1; at < line && begin < script.size(); ++at) {
    const std::size_t end = script.find('\n', begin);
    begin = end == std::string::npos ? script.size() : end + 1;
  }
  return printable(trimmed(script.substr(begin, script.find('\n', begin) - begin)), 120);
}

}  // namespace lockstep
