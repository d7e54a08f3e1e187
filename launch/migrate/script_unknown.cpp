#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/script_reader.hpp"

// Statements that may be carried out or not.

namespace lockstep {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;

void ScriptReader::leave_out(const Statement& statement, const Value& condition,
                             const std::string& reason) {
  const bool network = touches_network(statement.body) || touches_network(statement.otherwise);
  if (network)
    unread(statement.line, reason, true);
  else if (statement.kind == Statement::Kind::kWhile)
    pending_.try_emplace(statement.line, reason);
  else if (!condition.is_result)
    unread(statement.line, reason);
  for (const auto* statements : {&statement.body, &statement.otherwise})
    forget_changed(*statements, opaque({&condition}));
}

/// Whether these statements make, change or train a network; to look at one or to save it is
/// nothing.
bool ScriptReader::touches_network(const std::vector<Statement>& statements, int depth) {
  if (depth > 100) return true;
  for (const Statement& statement : statements) {
    step();
    if (statement.kind == Statement::Kind::kDef) continue;
    if (statement.value && touches_network(*statement.value, depth)) return true;
    for (const ExpressionPtr& target : statement.targets)
      if (touches_network(*target, depth)) return true;
    if (touches_network(statement.body, depth + 1)) return true;
    if (touches_network(statement.otherwise, depth + 1)) return true;
  }
  return false;
}

bool ScriptReader::touches_network(const Expression& expression, int depth) {
  step();
  if (expression.kind == Expression::Kind::kName) {
    const Value* value = find(expression.words[0]);
    if (value == nullptr) {
      const Value known = evaluate_name(expression.words[0]);
      return known.is(Kind::kPath) && known.text.starts_with("keras.");
    }
    if (value->is(Kind::kFunction))
      return value->function != nullptr ? touches_network(value->function->body, depth + 10)
                                        : touches_network(*value->lambda, depth + 10);
    if (value->is(Kind::kPath)) {
      const bool layer = value->text.starts_with("keras.") && !is_harmless(value->text) &&
                         value->text.find("callbacks") == std::string::npos &&
                         value->text.find("backend") == std::string::npos;
      return layer;
    }
    return value->is(Kind::kModel) || value->is(Kind::kLayer) || value->is(Kind::kNode) ||
           value->is(Kind::kLoadedLayers);
  }
  const bool call = expression.kind == Expression::Kind::kCall && !expression.parts.empty() &&
                    expression.parts[0]->kind == Expression::Kind::kAttribute;
  if (call && changes_nothing(expression.parts[0]->words[0])) {
    const Expression& of = *expression.parts[0]->parts[0];
    const Value* value = of.kind == Expression::Kind::kName ? find(of.words[0]) : nullptr;
    if (value != nullptr && value->is(Kind::kModel)) return false;
  }
  if (expression.kind == Expression::Kind::kAttribute) {
    std::string path = expression.words[0];
    const Expression* base = expression.parts[0].get();
    for (; base->kind == Expression::Kind::kAttribute; base = base->parts[0].get())
      path = base->words[0] + "." + path;
    const Value* value = base->kind == Expression::Kind::kName ? find(base->words[0]) : nullptr;
    if (value != nullptr && value->is(Kind::kPath)) {
      path = canonical_path(value->text + "." + path);
      return path.starts_with("keras.") && !is_harmless(path) &&
             path.find("callbacks") == std::string::npos &&
             path.find("backend") == std::string::npos && path.find("utils") == std::string::npos;
    }
  }
  for (const ExpressionPtr& part : expression.parts)
    if (part && touches_network(*part, depth)) return true;
  for (const PythonParameter& argument : expression.arguments)
    if (argument.value && touches_network(*argument.value, depth)) return true;
  return false;
}

/// After statements that nobody knows the turns of: what they change is not known either.
void ScriptReader::forget_changed(const std::vector<Statement>& statements, const Value& value) {
  const auto forget = [&](const ExpressionPtr& target, bool assigned) {
    ExpressionPtr base = target;  // of x, x[i], x.append(...)
    while (base && base->kind != Expression::Kind::kName && !base->parts.empty())
      base = base->parts[0];
    if (!base || base->kind != Expression::Kind::kName) return;
    const Value* before = find(base->words[0]);
    if (before == nullptr && !assigned) return;
    const bool network = before != nullptr && (before->is(Kind::kModel) ||
                                               before->is(Kind::kLayer) || before->is(Kind::kNode));
    if (network && !assigned) return;  // only looked at: all else is fatal
    if (before != nullptr && (before->is(Kind::kPath) || before->is(Kind::kFunction)) && !assigned)
      return;
    Value after = before != nullptr ? opaque({before, &value}) : value;
    bind(base->words[0], std::move(after));
  };
  for (const Statement& statement : statements) {
    step();
    for (const ExpressionPtr& target : statement.targets) {
      const bool many =
          target->kind == Expression::Kind::kTuple || target->kind == Expression::Kind::kList;
      if (many)
        for (const ExpressionPtr& part : target->parts) forget(part, true);
      else
        forget(target, target->kind == Expression::Kind::kName);
    }
    if (statement.kind == Statement::Kind::kExpression) {
      forget(statement.value, false);
      for (const PythonParameter& argument : statement.value->arguments) {
        if (!argument.value || argument.value->kind != Expression::Kind::kName) continue;
        const Value* given = find(argument.value->words[0]);
        if (given != nullptr && (given->is(Kind::kList) || given->is(Kind::kDict)))
          forget(argument.value, false);
      }
    }
    forget_changed(statement.body, value);
    forget_changed(statement.otherwise, value);
  }
}

}  // namespace lockstep
