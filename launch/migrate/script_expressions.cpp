#include <fmt/format.h>

#include <algorithm>

#include "launch/migrate/array_changes.hpp"
#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/python_arithmetic.hpp"
#include "launch/migrate/script_reader.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Value = ScriptValue;

Value path_value(const std::string& path) {
  Value value;
  value.kind = Value::Kind::kPath;
  value.text = path;
  return value;
}

Value layer_value(const std::shared_ptr<ScriptLayer>& layer) {
  Value value;
  value.kind = Value::Kind::kLayer;
  value.layer = layer;
  return value;
}

Value node_value(std::shared_ptr<ScriptNode> node) {
  Value value;
  value.kind = Value::Kind::kNode;
  value.node = std::move(node);
  return value;
}

/// The layers of a functional model, each behind those that it reads.
void collect_layers(const std::shared_ptr<ScriptNode>& node, std::set<const ScriptNode*>& seen,
                    std::set<const ScriptLayer*>& layers, std::vector<Value>& to) {
  if (!seen.insert(node.get()).second) return;
  for (const auto& input : node->inputs) collect_layers(input, seen, layers, to);
  if (layers.insert(node->layer.get()).second) to.push_back(layer_value(node->layer));
}

}  // namespace

ScriptValue ScriptReader::opaque(const std::vector<const Value*>& from) {
  Value value;
  value.lines = {statement_};
  for (const Value* part : from) {
    value.lines.insert(part->lines.begin(), part->lines.end());
    if (part->is(Kind::kArray))
      value.lines.insert(part->array->lines.begin(), part->array->lines.end());
    value.is_result = value.is_result || part->is_result;
    if (part->items && part->items->size() < 100)
      for (const Value& item : *part->items) {
        value.lines.insert(item.lines.begin(), item.lines.end());
        value.is_result = value.is_result || item.is_result;
      }
  }
  step(value.lines.size() / 10);
  return value;
}

ScriptValue ScriptReader::opaque_of(const ScriptArguments& from) {
  std::vector<const Value*> values;
  for (const ScriptArgument& argument : from) values.push_back(&argument.value);
  return opaque(values);
}

ScriptValue ScriptReader::result() {
  Value value;
  value.is_result = true;
  return value;
}

ScriptValue ScriptReader::evaluate(const ExpressionPtr& pointer) {
  check(++depth_ <= 1200, ExitCode::kBadData, "[{}] line {}: nested too deeply", printable(name_),
        pointer->line);
  Value value = evaluate_it(pointer);
  --depth_;
  return value;
}

ScriptValue ScriptReader::evaluate_it(const ExpressionPtr& pointer) {
  step();
  const Expression& expression = *pointer;
  const auto all = [&](Kind kind) {
    std::vector<Value> items;
    for (const ExpressionPtr& part : expression.parts) {
      const bool star = part->kind == Expression::Kind::kUnreadable && !part->words.empty() &&
                        part->words[0] == "*";
      const Value value = evaluate(star ? part->parts[0] : part);
      if (star && value.is_sequence()) {
        items.insert(items.end(), value.items->begin(), value.items->end());
      } else {
        items.push_back(star ? opaque({&value}) : value);
      }
    }
    return sequence_value(kind, std::move(items));
  };
  switch (expression.kind) {
    case Expression::Kind::kConstant:
      return constant_value(expression.constant);
    case Expression::Kind::kName:
      return evaluate_name(expression.words[0]);
    case Expression::Kind::kAttribute:
      return attribute(evaluate(expression.parts[0]), expression.words[0], expression);
    case Expression::Kind::kCall:
      return call(expression);
    case Expression::Kind::kSubscript:
      return subscript(expression);
    case Expression::Kind::kList:
      return all(Kind::kList);
    case Expression::Kind::kTuple:
      return all(Kind::kTuple);
    case Expression::Kind::kDict:
      return all(Kind::kDict);
    case Expression::Kind::kUnary:
      return unary(expression);
    case Expression::Kind::kBinary: {
      const Value left = evaluate(expression.parts[0]);
      return binary(expression.words[0], left, evaluate(expression.parts[1]));
    }
    case Expression::Kind::kCompare:
      return compare(expression);
    case Expression::Kind::kLogic: {
      Value value;
      for (const ExpressionPtr& part : expression.parts) {
        value = evaluate(part);
        if (!value.is(Kind::kConstant)) return opaque({&value});
        if (python_truth(value.constant) == (expression.words[0] == "or")) break;
      }
      return value;
    }
    case Expression::Kind::kConditional: {
      const Value condition = evaluate(expression.parts[1]);
      if (!condition.is(Kind::kConstant)) return opaque({&condition});
      return evaluate(expression.parts[python_truth(condition.constant) ? 0 : 2]);
    }
    case Expression::Kind::kLambda: {
      Value function = make_function(expression.arguments);
      function.lambda = pointer;
      return function;
    }
    case Expression::Kind::kComprehension:
      return comprehension(expression);
    case Expression::Kind::kSlice:
    case Expression::Kind::kUnreadable:
      break;
  }
  std::vector<Value> parts;
  for (const ExpressionPtr& part : expression.parts)
    if (part) parts.push_back(evaluate(part));
  std::vector<const Value*> from;
  for (const Value& part : parts) from.push_back(&part);
  return opaque(from);
}

ScriptValue ScriptReader::evaluate_name(const std::string& name) {
  if (name == "...") return path_value("Ellipsis");
  if (const Value* found = find(name)) {
    if (found->is_string()) step(found->constant.get_ref<const std::string&>().size() / 1000);
    return *found;
  }
  if (name == "__name__") return constant_value("__main__");
  for (const std::string& module : wildcards_) {
    const std::string path = module + "." + name;
    if (module.starts_with("keras") &&
        (!layer_class_of(path).empty() || name == "Sequential" || name == "Model" ||
         std::isupper(static_cast<unsigned char>(name[0]))))
      return path_value(path);
  }
  return path_value(name);  // a function of Python, if it is anything
}

ScriptValue ScriptReader::layers_of(const Value& model) {
  if (model.model->form == ScriptModel::Form::kLoaded) {
    Value value;
    value.kind = Kind::kLoadedLayers;
    value.model = model.model;
    value.count = 0;
    return value;
  }
  std::vector<Value> layers;
  for (const auto& layer : model.model->layers) layers.push_back(layer_value(layer));
  if (model.model->output) {
    std::set<const ScriptNode*> seen;
    std::set<const ScriptLayer*> known;
    collect_layers(model.model->output, seen, known, layers);
    step(seen.size());
  }
  step(layers.size());
  return sequence_value(Kind::kList, std::move(layers));
}

ScriptValue ScriptReader::attribute(const Value& of, const std::string& name,
                                    const Expression& expression) {
  if (of.is(Kind::kPath)) return path_value(canonical_path(of.text + "." + name));
  if (of.is(Kind::kModel)) {
    if (name == "layers") return layers_of(of);
    const ScriptModel& model = *of.model;
    if (model.form == ScriptModel::Form::kLoaded && (name == "output" || name == "input")) {
      auto node = std::make_shared<ScriptNode>();
      node->layer = std::make_shared<ScriptLayer>();
      node->layer->line = line_;
      if (name == "output") {
        node->layer->model = of.model;
      } else {
        node->layer->class_name = "InputLayer";
      }
      return node_value(node);
    }
    if (name == "output" && model.output) return node_value(model.output);
    if (name == "input" && model.input) return node_value(model.input);
  }
  if (of.is(Kind::kLoadedLayers) && name == "output") {
    auto node = std::make_shared<ScriptNode>();
    node->layer = std::make_shared<ScriptLayer>();
    node->layer->model = of.model;
    node->layer->line = line_;
    node->layer->dropped = of.count;
    return node_value(node);
  }
  if (of.is(Kind::kArray) && name == "shape") {
    std::vector<Value> sizes;
    for (const std::int64_t size : of.array->shape) sizes.push_back(constant_value(size));
    return sequence_value(Kind::kTuple, std::move(sizes));
  }
  if (of.is(Kind::kOpaque)) return opaque({&of});
  Value method;
  method.kind = Kind::kMethod;
  method.text = name;
  method.items = std::make_shared<std::vector<Value>>(1, of);
  method.lines = {expression.line};
  return method;
}

ScriptValue ScriptReader::unary(const Expression& expression) {
  const Value of = evaluate(expression.parts[0]);
  if (of.is(Kind::kConstant))
    if (const auto value = python_unary(expression.words[0], of.constant))
      return constant_value(*value);
  return opaque({&of});
}

ScriptValue ScriptReader::binary(const std::string& op, const Value& left, const Value& right) {
  if (left.is(Kind::kConstant) && right.is(Kind::kConstant)) {
    if (const auto value = python_binary(op, left.constant, right.constant)) {
      if (value->is_string()) step(value->get_ref<const std::string&>().size());
      return constant_value(*value);
    }
    return opaque({&left, &right});
  }
  if (left.is(Kind::kNode) || right.is(Kind::kNode)) {
    const char* merging = op == "+" ? "Add" : op == "-" ? "Subtract" : op == "*" ? "Multiply" : "";
    if (left.is(Kind::kNode) && right.is(Kind::kNode) && *merging != '\0')
      return apply_new_layer(*this, merging, Json::object(), {left, right});
    if (left.is(Kind::kNode) && right.is_number()) {
      const double number = right.constant.get<double>();
      if ((op == "/" && number != 0) || op == "*")
        return apply_new_layer(*this, "Rescaling", {{"scale", op == "/" ? 1 / number : number}},
                               {left});
      if (op == "+" || op == "-")
        return apply_new_layer(*this, "Rescaling",
                               {{"scale", 1.0}, {"offset", op == "+" ? number : -number}}, {left});
    }
    unread(line_, "this operation on tensors is not understood", true);
    return opaque({&left, &right});
  }
  if (left.is_sequence() && left.kind == right.kind && op == "+") {
    step(left.items->size() + right.items->size());
    std::vector<Value> all = *left.items;
    all.insert(all.end(), right.items->begin(), right.items->end());
    return sequence_value(left.kind, std::move(all));
  }
  if (left.is_sequence() && right.is(Kind::kConstant) && right.constant.is_number_integer() &&
      op == "*") {
    std::vector<Value> all;
    if (left.items->empty()) return left;
    for (std::int64_t i = 0; i < right.constant.get<std::int64_t>(); ++i) {
      step(left.items->size());
      for (const Value& item : *left.items)
        if (item.is_string()) step(item.constant.get_ref<const std::string&>().size() / 1000);
      all.insert(all.end(), left.items->begin(), left.items->end());
    }
    return sequence_value(left.kind, std::move(all));
  }
  if (left.is(Kind::kLoadedLayers) && right.is(Kind::kList) && op == "+") {
    std::vector<Value> all = {left};
    all.insert(all.end(), right.items->begin(), right.items->end());
    return sequence_value(Kind::kList, std::move(all));
  }
  if (left.is(Kind::kArray))
    if (auto changed = array_arithmetic(*left.array, op, right, line_)) return *changed;
  return opaque({&left, &right});
}

ScriptValue ScriptReader::compare(const Expression& expression) {
  Value left = evaluate(expression.parts[0]);
  for (std::size_t i = 0; i < expression.words.size(); ++i) {
    const Value right = evaluate(expression.parts[i + 1]);
    std::optional<bool> holds;
    const std::string& op = expression.words[i];
    if (left.is(Kind::kConstant) && right.is(Kind::kConstant))
      holds = python_compare(op, left.constant, right.constant);
    const bool of_none = right.is_none() && !left.is(Kind::kOpaque);
    if (!holds && of_none && (op == "is" || op == "==")) holds = false;
    if (!holds && of_none && (op == "is not" || op == "!=")) holds = true;
    if (left.is(Kind::kConstant) && right.is_sequence() && (op == "in" || op == "not in")) {
      bool found = false, known = true;
      for (const Value& item : *right.items) {
        known = known && item.is(Kind::kConstant);
        found = found || (item.is(Kind::kConstant) && item.constant == left.constant);
      }
      if (known) holds = found == (op == "in");
    }
    if (!holds) return opaque({&left, &right});
    if (!*holds) return constant_value(false);
    left = right;
  }
  return constant_value(true);
}

std::optional<std::vector<ScriptValue>> ScriptReader::elements(const Value& value) {
  if (value.items) step(value.items->size());
  if (value.is_sequence()) return *value.items;
  if (value.is(Kind::kDict)) {
    for (std::size_t i = 0; i + 1 < value.items->size(); i += 2)
      if (!(*value.items)[i].is(Kind::kConstant)) return std::nullopt;
    std::vector<Value> keys;
    for (std::size_t i = 0; i + 1 < value.items->size(); i += 2) keys.push_back((*value.items)[i]);
    return keys;
  }
  return std::nullopt;
}

ScriptValue ScriptReader::comprehension(const Expression& expression) {
  const Value over = evaluate(expression.parts[2]);
  const auto values = elements(over);
  if (!values) return opaque({&over});
  // Its names are its own.
  auto scope = std::make_unique<ScriptScope>();
  scope->outer = scope_;
  scope->elsewhere = scope_->elsewhere;
  for (const std::string& name : expression.parts[1]->words) scope->elsewhere.erase(name);
  ScriptScope* const before = std::exchange(scope_, scope.get());
  std::vector<Value> all;
  std::optional<Value> unknown;
  for (const Value& value : *values) {
    assign(*expression.parts[1], value);
    if (expression.parts[3]) {
      const Value condition = evaluate(expression.parts[3]);
      if (!condition.is(Kind::kConstant)) unknown = opaque({&condition, &over});
      if (unknown) break;
      if (!python_truth(condition.constant)) continue;
    }
    all.push_back(evaluate(expression.parts[0]));
  }
  scope_ = before;
  if (scope->kept) kept_.push_back(std::move(scope));
  if (unknown) return *unknown;
  return sequence_value(Kind::kList, std::move(all));
}

ScriptValue ScriptReader::sliced(const Value& of, const Expression& slice) {
  std::int64_t size = 0;
  if (of.is_sequence()) size = static_cast<std::int64_t>(of.items->size());
  if (of.is(Kind::kArray)) size = of.array->rows;
  if (slice.parts[2]) return opaque({&of});
  std::int64_t ends[2] = {0, size};
  for (int i = 0; i < 2; ++i) {
    if (!slice.parts[i]) continue;
    const Value end = evaluate(slice.parts[i]);
    if (end.is_none()) continue;
    if (!end.is(Kind::kConstant) || !end.constant.is_number_integer()) return opaque({&of, &end});
    ends[i] = end.constant.get<std::int64_t>();
    if (ends[i] < 0 && !of.is(Kind::kLoadedLayers)) ends[i] += size;
  }
  if (of.is(Kind::kLoadedLayers)) {  // [:-2]
    if (slice.parts[0] && ends[0] != 0) {
      unread(line_, "the layers of a file cannot be counted from its first one");
      return opaque({&of});
    }
    if (slice.parts[1] && ends[1] >= 0) {
      unread(line_, "the layers of a file are counted from its last one only: layers[:-2]");
      return opaque({&of});
    }
    Value value = of;
    if (slice.parts[1]) value.count = -ends[1];
    return value;
  }
  for (std::int64_t& end : ends) end = std::clamp<std::int64_t>(end, 0, size);
  ends[1] = std::max(ends[0], ends[1]);
  if (of.is_sequence())
    return sequence_value(of.kind, {of.items->begin() + ends[0], of.items->begin() + ends[1]});
  if (of.is(Kind::kArray)) return sliced_rows(*of.array, ends[0], ends[1], line_);
  return opaque({&of});
}

ScriptValue ScriptReader::subscript(const Expression& expression) {
  const Value of = evaluate(expression.parts[0]);
  const Expression& index = *expression.parts[1];
  if (index.kind == Expression::Kind::kSlice) return sliced(of, index);
  if (of.is(Kind::kArray) && index.kind == Expression::Kind::kTuple) {
    // x[..., None], x[:, :, :, None]
    bool last_is_new = !index.parts.empty(), others_are_whole = true;
    for (const ExpressionPtr& part : index.parts) {
      const bool is_slice = part->kind == Expression::Kind::kSlice;
      if (part == index.parts.back()) {
        const Value last = is_slice ? Value() : evaluate(part);
        last_is_new = last.is_none() || (last.is(Kind::kPath) && last.text.ends_with(".newaxis"));
      } else if (is_slice) {
        others_are_whole =
            others_are_whole && !part->parts[0] && !part->parts[1] && !part->parts[2];
      } else {
        const Value value = evaluate(part);
        others_are_whole = others_are_whole && value.is(Kind::kPath) && value.text == "Ellipsis";
      }
    }
    const bool ellipsis = index.parts[0]->kind == Expression::Kind::kName;
    if (last_is_new && others_are_whole &&
        (ellipsis || index.parts.size() == of.array->shape.size() + 1))
      return expanded(*of.array, line_);
    return opaque({&of});
  }
  const Value at = evaluate(expression.parts[1]);
  if (at.is(Kind::kConstant) && at.constant.is_number_integer()) {
    std::int64_t position = at.constant.get<std::int64_t>();
    if (of.is(Kind::kLoadedLayers)) {
      if (position >= 0) {
        unread(line_, "the layers of a file are counted from its last one only: layers[-2]");
        return opaque({&of});
      }
      Value value = of;
      value.count = -position - 1;
      return value;
    }
    if (of.is_sequence()) {
      const auto size = static_cast<std::int64_t>(of.items->size());
      if (position < 0) position += size;
      if (position >= 0 && position < size) return (*of.items)[static_cast<std::size_t>(position)];
    }
  }
  if (of.is(Kind::kDict) && at.is(Kind::kConstant))
    for (std::size_t i = 0; i + 1 < of.items->size(); i += 2)
      if ((*of.items)[i].is(Kind::kConstant) && (*of.items)[i].constant == at.constant)
        return (*of.items)[i + 1];
  return opaque({&of, &at});
}

}  // namespace lockstep
