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

Migration migrate(const std::string& script, const std::string& name) {
  return ScriptReader(script, name).run();
}

}  // namespace lockstep
