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
namespace {

constexpr int kMostDepth = 1200;

}  // namespace

ScriptReader::ScriptReader(const std::string& script, const std::string& name)
    : script_(script), name_(name), statements_(parse_python(script, name)) {}

Migration ScriptReader::run() {
  execute(statements_);
  for (const auto& [line, reason] : pending_) unread(line, reason);
  // The lines, to be quoted.
  std::size_t begin = 0;
  int at = 1;
  for (auto& [line, entry] : migration_.unread) {
    for (; at < line && begin < script_.size(); ++at) {
      const std::size_t end = script_.find('\n', begin);
      begin = end == std::string::npos ? script_.size() : end + 1;
    }
    const std::size_t end = std::min(script_.find('\n', begin), script_.size());
    entry.text = printable(trimmed(script_.substr(begin, end - begin)), 120);
  }
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

void ScriptReader::step(std::size_t count) {
  steps_ += std::min<std::size_t>(count, 1'000'001);
  check(steps_ <= 1'000'000, ExitCode::kBadData,
        "[{}] line {}: expected a script that describes a network, got one that does much else",
        printable(name_), line_);
}

void ScriptReader::made_node() {
  check(++nodes_ <= 10'000, ExitCode::kBadData,
        "[{}] line {}: expected networks of at most 10000 uses of layers, got more",
        printable(name_), line_);
}

ScriptReader::Flow ScriptReader::execute(const std::vector<Statement>& statements) {
  for (const Statement& statement : statements)
    if (const Flow flow = execute(statement); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

ScriptReader::Flow ScriptReader::execute(const Statement& statement) {
  check(++depth_ <= kMostDepth, ExitCode::kBadData, "[{}] line {}: nested too deeply",
        printable(name_), statement.line);
  const Flow flow = execute_it(statement);
  --depth_;
  return flow;
}

ScriptReader::Flow ScriptReader::execute_it(const Statement& statement) {
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
    case Statement::Kind::kWith: {
      const Value context = evaluate(statement.value);
      for (const ExpressionPtr& target : statement.targets) assign(*target, opaque({&context}));
      return execute(statement.body);
    }
    case Statement::Kind::kBlock: {
      for (const Statement& other : statement.otherwise)
        if (other.kind == Statement::Kind::kAssign || other.kind == Statement::Kind::kAugmented ||
            touches_network({other}))
          unread(other.line, "what is done if the lines before fail is not carried over");
      return execute(statement.body);
    }
    case Statement::Kind::kDef: {
      Value function = make_function(statement.parameters);
      function.function = &statement;
      bind(statement.name, std::move(function));
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
      if (!statement.name.empty()) bind(statement.name, opaque());
      break;
    case Statement::Kind::kElsewhere:
      look_elsewhere(statement);
      break;
    case Statement::Kind::kDelete:
      for (const ExpressionPtr& target : statement.targets)
        if (target->kind == Expression::Kind::kSubscript) assign_element(*target, opaque());
      break;
    case Statement::Kind::kWhile:
      leave_out(statement, opaque(), "how often this is done is not known");
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
    bind(name, std::move(value));
  }
}

void ScriptReader::assign(const Expression& target, const Value& value) {
  switch (target.kind) {
    case Expression::Kind::kName:
      bind(target.words[0], value);
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
    case Expression::Kind::kSubscript:
      return assign_element(target, value);
    default:
      return;
  }
}

/// of[...] = value
void ScriptReader::assign_element(const Expression& target, const Value& value) {
  const Expression& base = *target.parts[0];
  const bool named = base.kind == Expression::Kind::kName;
  if (base.kind == Expression::Kind::kAttribute && evaluate(base.parts[0]).is(Kind::kModel)) {
    unread(statement_, "a layer of a network is changed: this is not carried over", true);
    return;
  }
  const Value of = evaluate(target.parts[0]);
  if (of.is(Kind::kArray) || of.is(Kind::kOpaque)) {
    // Of an array it is one more change that is not understood.
    if (!named || of.is_result || value.is_result) return;
    pending_.try_emplace(statement_, "is not understood");
    bind(base.words[0], opaque({&of, &value}));
    return;
  }
  if (!of.is(Kind::kList) && !of.is(Kind::kDict)) return;
  const Value at =
      target.parts[1]->kind == Expression::Kind::kSlice ? opaque() : evaluate(target.parts[1]);
  std::vector<Value>& items = *of.items;
  const bool deleted = value.is(Kind::kOpaque) && value.lines == std::set<int>{statement_};
  if (of.is(Kind::kList) && at.is(Kind::kConstant) && at.constant.is_number_integer() && !deleted) {
    const auto size = static_cast<std::int64_t>(items.size());
    auto position = at.constant.get<std::int64_t>();
    if (position < 0) position += size;
    if (position >= 0 && position < size) {
      items[static_cast<std::size_t>(position)] = value;
      return;
    }
  }
  const bool plain = [&] {
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (!items[i].is(Kind::kConstant)) return false;
    return true;
  }();
  if (of.is(Kind::kDict) && at.is(Kind::kConstant) && plain && !deleted) {
    step(items.size());
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].constant == at.constant) {
        items[i + 1] = value;
        return;
      }
    items.push_back(at);
    items.push_back(value);
    return;
  }
  spoil(of);
  if (named) bind(base.words[0], opaque({&of, &value}));
}

void ScriptReader::spoil(const Value& of) {
  pending_.try_emplace(statement_, "is not understood");
  of.items->assign(of.is(Kind::kDict) ? 2 : 1, opaque());
}

void ScriptReader::set_trainable(const Value& of, bool trainable, int depth) {
  if (depth > 10) return;
  step();
  if (of.is(Kind::kLayer)) {
    of.layer->trainable = trainable;
    if (!of.layer->model) return;
  }
  Value model;
  model.kind = Kind::kModel;
  model.model = of.is(Kind::kLayer) ? of.layer->model : of.model;
  model.model->trainable = trainable;
  const Value layers = layers_of(model);
  if (!layers.is_sequence()) return;
  for (const Value& layer : *layers.items) set_trainable(layer, trainable, depth + 1);
}

void ScriptReader::assign_attribute(const Expression& target, const Value& value) {
  const Value of = evaluate(target.parts[0]);
  const std::string& name = target.words[0];
  if (name == "trainable" && value.is(Kind::kConstant) && value.constant.is_boolean()) {
    const bool trainable = value.constant.get<bool>();
    if (of.is(Kind::kLayer) || of.is(Kind::kModel)) return set_trainable(of, trainable);
    if (of.is(Kind::kLoadedLayers)) {
      if (of.count != 0 && of.model->dropped == 0)
        unread(line_, "the names of these layers stand in a file: set freeze to them");
      of.model->trainable = trainable;
      return;
    }
  }
  const bool rate = name == "learning_rate" || name == "lr";
  if (of.is(Kind::kObject) && rate && value.is_number() && migration_.runs.empty()) {
    ScriptArguments& arguments = of.object->arguments;
    std::erase_if(arguments, [](const ScriptArgument& argument) {
      return argument.keyword == "learning_rate" || argument.keyword == "lr";
    });
    if (!arguments.empty() && arguments[0].keyword.empty())
      arguments[0] = {"", value, nullptr};
    else
      arguments.push_back({"learning_rate", value, nullptr});
    return;
  }
  // Of a network's optimizer, a layer's kernel, ...
  const bool part = of.is(Kind::kMethod) && !of.items->empty() &&
                    (of.items->front().is(Kind::kModel) || of.items->front().is(Kind::kLayer));
  const bool matters = part || of.is(Kind::kLayer) || of.is(Kind::kModel) ||
                       of.is(Kind::kLoadedLayers) || of.is(Kind::kObject);
  if (matters)
    unread(line_, fmt::format("the attribute {} is not carried over", printable(name, 60)));
}

void ScriptReader::augment(const Statement& statement) {
  const Expression& target = *statement.targets[0];
  const Value before = evaluate(statement.targets[0]);
  const Value value = evaluate(statement.value);
  Value after = binary(statement.name, before, value);
  if (before.is(Kind::kList) && value.is_sequence() && statement.name == "+") {
    step(value.items->size());
    const std::vector<Value> more = *value.items;
    before.items->insert(before.items->end(), more.begin(), more.end());
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
  leave_out(statement, condition,
            "whether this holds is not known: nothing that depends on it is carried over");
  return Flow::kNext;
}

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

void ScriptReader::look_elsewhere(const Statement& statement) {
  for (const auto& [none, name] : statement.imports) {
    ScriptScope* scope = &global_;
    if (statement.name == "nonlocal")
      for (scope = scope_->outer; scope != nullptr && !scope->values.contains(name);)
        scope = scope->outer;
    if (scope != nullptr && scope != scope_) scope_->elsewhere[name] = scope;
  }
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

ScriptReader::Flow ScriptReader::loop(const Statement& statement) {
  const Value over = evaluate(statement.value);
  std::optional<std::vector<Value>> values = elements(over);
  if (over.is(Kind::kLoadedLayers)) values = std::vector<Value>{over};
  if (!values) {
    if (touches_network(statement.body))
      unread(statement.line, "what it goes over is not known", true);
    else if (!over.is_result)
      pending_.try_emplace(statement.line, "what it goes over is not known");
    assign(*statement.targets[0], opaque({&over}));
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

Migration migrate(const std::string& script, const std::string& name) {
  return ScriptReader(script, name).run();
}

}  // namespace lockstep
