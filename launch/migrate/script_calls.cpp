#include <fmt/format.h>

#include <algorithm>

#include "launch/migrate/array_changes.hpp"
#include "launch/migrate/keras_calls.hpp"
#include "launch/migrate/python_arithmetic.hpp"
#include "launch/migrate/script_reader.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;

ScriptArguments ScriptReader::arguments_of(const Expression& call) {
  ScriptArguments arguments;
  for (const PythonParameter& parameter : call.arguments) {
    Value value = evaluate(parameter.value);
    if (parameter.stars == 1 && value.is_sequence()) {
      for (const Value& item : *value.items) arguments.push_back({"", item, nullptr});
    } else if (parameter.stars == 2 && value.is(Kind::kDict)) {
      for (std::size_t i = 0; i + 1 < value.items->size(); i += 2)
        if ((*value.items)[i].is_string())
          arguments.push_back(
              {(*value.items)[i].constant.get<std::string>(), (*value.items)[i + 1], nullptr});
    } else if (parameter.stars > 0) {
      arguments.push_back({"", opaque({&value}), nullptr, true});
    } else {
      arguments.push_back({parameter.name, std::move(value), parameter.value});
    }
  }
  return arguments;
}

ScriptValue ScriptReader::call(const Expression& expression) {
  const Value function = evaluate(expression.parts[0]);
  ScriptArguments arguments = arguments_of(expression);
  const int before = std::exchange(line_, expression.line);
  Value value = call_value(function, arguments);
  line_ = before;
  return value;
}

ScriptValue ScriptReader::call_value(const Value& function, ScriptArguments& arguments) {
  switch (function.kind) {
    case Kind::kPath:
      return function.text.find('.') == std::string::npos
                 ? call_builtin(function.text, arguments)
                 : call_path(*this, function.text, arguments);
    case Kind::kMethod:
      return call_method(function.items->front(), function.text, arguments);
    case Kind::kFunction:
      return run_function(function, arguments);
    case Kind::kLayer:
      return apply_layer(*this, function.layer, arguments);
    case Kind::kModel:
      return apply_model(*this, function.model, arguments);
    default:
      break;
  }
  const bool on_tensor = std::ranges::any_of(
      arguments, [](const ScriptArgument& argument) { return argument.value.is(Kind::kNode); });
  if (on_tensor) unread(line_, "what is applied to a tensor here is not understood", true);
  Value value = opaque_of(arguments);
  value.is_result = value.is_result || function.is_result;
  value.lines.insert(function.lines.begin(), function.lines.end());
  return value;
}

ScriptValue ScriptReader::call_builtin(const std::string& name, ScriptArguments& arguments) {
  const auto at = [&](std::size_t i) -> const Value& { return arguments[i].value; };
  const std::size_t count = arguments.size();
  if (is_harmless(name)) return result();
  if (name == "range" && count >= 1 && count <= 3) {
    std::vector<std::int64_t> ends;
    for (const ScriptArgument& argument : arguments) {
      if (!argument.value.is_number() || !argument.value.constant.is_number_integer())
        return opaque_of(arguments);
      ends.push_back(argument.value.constant.get<std::int64_t>());
    }
    const std::int64_t first = count == 1 ? 0 : ends[0], last = count == 1 ? ends[0] : ends[1];
    const std::int64_t step = count == 3 ? ends[2] : 1;
    std::vector<Value> all;
    if (step == 0 || std::abs(static_cast<double>(last) - static_cast<double>(first)) > 1e4)
      return opaque_of(arguments);
    for (std::int64_t i = first; step > 0 ? i < last : i > last; i += step)
      all.push_back(constant_value(i));
    return sequence_value(Kind::kTuple, std::move(all));
  }
  if (count == 1) {
    const Value& of = at(0);
    const auto parts = elements(of);
    if (name == "len" && parts) return constant_value(static_cast<std::int64_t>(parts->size()));
    if (name == "len" && of.is(Kind::kArray)) return constant_value(of.array->rows);
    if ((name == "list" || name == "tuple") && parts)
      return sequence_value(name == "list" ? Kind::kList : Kind::kTuple, *parts);
    if (name == "list" && of.is(Kind::kLoadedLayers)) return of;
    if (name == "reversed" && parts)
      return sequence_value(Kind::kList, {parts->rbegin(), parts->rend()});
    if (name == "enumerate" && parts) {
      std::vector<Value> all;
      for (std::size_t i = 0; i < parts->size(); ++i)
        all.push_back(sequence_value(Kind::kTuple,
                                     {constant_value(static_cast<std::int64_t>(i)), (*parts)[i]}));
      return sequence_value(Kind::kTuple, std::move(all));
    }
    if (of.is_number() && name == "float") return constant_value(of.constant.get<double>());
    if (of.is_number() && name == "int" && of.constant.is_number_integer()) return of;
    if (of.is_number() && name == "int")
      if (const auto value = python_math(name, {of.constant})) return constant_value(*value);
    if (of.is_string() && name == "str") return of;
    if (of.is(Kind::kConstant) && of.constant.is_number_integer() && name == "str")
      return constant_value(of.constant.dump());
    if (of.is(Kind::kConstant) && name == "bool") return constant_value(python_truth(of.constant));
  }
  if (name == "isinstance" && count == 2 && at(0).is(Kind::kLayer)) {
    const std::vector<Value> all =
        at(1).is(Kind::kTuple) ? *at(1).items : std::vector<Value>{at(1)};
    bool found = false, known = true;
    for (const Value& type : all) {
      const std::string class_name = type.is(Kind::kPath) ? layer_class_of(type.text) : "";
      known = known && !class_name.empty();
      found = found || (!class_name.empty() && class_name == at(0).layer->class_name);
    }
    if (known) return constant_value(found);
  }
  if ((name == "list" || name == "dict") && count == 0)
    return sequence_value(name == "list" ? Kind::kList : Kind::kDict, {});
  if (name == "dict") {
    std::vector<Value> items;
    for (const ScriptArgument& argument : arguments) {
      if (argument.keyword.empty()) return opaque_of(arguments);
      items.push_back(constant_value(argument.keyword));
      items.push_back(argument.value);
    }
    return sequence_value(Kind::kDict, std::move(items));
  }
  if (name == "zip" && count > 0) {
    std::vector<std::vector<Value>> lists;
    std::size_t shortest = 10'000;
    for (const ScriptArgument& argument : arguments) {
      const auto parts = elements(argument.value);
      if (!parts) return opaque_of(arguments);
      shortest = std::min(shortest, parts->size());
      lists.push_back(*parts);
    }
    std::vector<Value> all;
    for (std::size_t i = 0; i < shortest; ++i) {
      std::vector<Value> one;
      for (const auto& list : lists) one.push_back(list[i]);
      all.push_back(sequence_value(Kind::kTuple, std::move(one)));
    }
    return sequence_value(Kind::kTuple, std::move(all));
  }
  if ((name == "min" || name == "max") && count == 2 && at(0).is_number() && at(1).is_number()) {
    const bool less = python_compare("<", at(0).constant, at(1).constant).value_or(false);
    return at(less == (name == "min") ? 0 : 1);
  }
  const bool on_tensor = std::ranges::any_of(
      arguments, [](const ScriptArgument& argument) { return argument.value.is(Kind::kNode); });
  if (on_tensor) unread(line_, "what is applied to a tensor here is not understood", true);
  return opaque_of(arguments);
}

ScriptValue ScriptReader::call_method(const Value& of, const std::string& name,
                                      ScriptArguments& arguments) {
  const auto constant_argument = [&](std::size_t i) {
    return i < arguments.size() && arguments[i].value.is(Kind::kConstant);
  };
  if (of.is(Kind::kModel)) return call_model_method(*this, of, name, arguments);
  if (of.is(Kind::kList)) {
    if (name == "append" && arguments.size() == 1) {
      of.items->push_back(arguments[0].value);
      return constant_value(nullptr);
    }
    if (name == "extend" && arguments.size() == 1 && arguments[0].value.is_sequence()) {
      const std::vector<Value> more = *arguments[0].value.items;
      step(more.size());
      of.items->insert(of.items->end(), more.begin(), more.end());
      return constant_value(nullptr);
    }
  }
  if (of.is(Kind::kDict) && name == "update" && arguments.size() == 1 &&
      arguments[0].value.is(Kind::kDict) && elements(arguments[0].value) && elements(of)) {
    const std::vector<Value> more = *arguments[0].value.items;
    for (std::size_t i = 0; i + 1 < more.size(); i += 2) {
      std::size_t at = 0;
      while (at < of.items->size() && (*of.items)[at].constant != more[i].constant) at += 2;
      step(at + 1);
      if (at >= of.items->size()) of.items->insert(of.items->end(), {more[i], Value()});
      (*of.items)[at + 1] = more[i + 1];
    }
    return constant_value(nullptr);
  }
  const bool changes = name != "copy" && name != "index" && name != "count" && name != "get" &&
                       name != "items" && name != "keys" && name != "values";
  if ((of.is(Kind::kList) || of.is(Kind::kDict)) && changes) {
    spoil(of);
    return opaque_of(arguments);
  }
  if (of.is(Kind::kDict) && !elements(of)) return opaque({&of});
  if (of.is(Kind::kDict)) {
    std::vector<Value> all;
    for (std::size_t i = 0; i + 1 < of.items->size(); i += 2) {
      const Value &key = (*of.items)[i], &value = (*of.items)[i + 1];
      if (name == "get" && constant_argument(0) && key.is(Kind::kConstant) &&
          key.constant == arguments[0].value.constant)
        return value;
      if (name == "items") all.push_back(sequence_value(Kind::kTuple, {key, value}));
      if (name == "keys") all.push_back(key);
      if (name == "values") all.push_back(value);
    }
    if (name == "items" || name == "keys" || name == "values")
      return sequence_value(Kind::kTuple, std::move(all));
    if (name == "get") return arguments.size() == 2 ? arguments[1].value : constant_value(nullptr);
  }
  if (of.is(Kind::kArray))
    if (auto changed = array_method(*of.array, name, arguments, line_)) return *changed;
  if (of.is(Kind::kLayer)) {
    unread(line_, fmt::format("the method {} of a layer is not understood", printable(name, 60)));
    return opaque_of(arguments);
  }
  Value value = opaque_of(arguments);
  const Value source = opaque({&of});
  value.lines.insert(source.lines.begin(), source.lines.end());
  value.is_result = value.is_result || of.is_result;
  return value;
}

}  // namespace lockstep
