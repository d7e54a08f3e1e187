#include "launch/migrate/array_changes.hpp"

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

using Value = ScriptValue;

Value array_value(ScriptArray array, int line) {
  Value value;
  value.kind = Value::Kind::kArray;
  array.lines.insert(line);
  value.array = std::make_shared<ScriptArray>(std::move(array));
  return value;
}

std::int64_t size_of(const Shape& shape) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) size *= extent;
  return size;
}

std::optional<Value> reshaped(const ScriptArray& array, Shape shape, int line) {
  std::int64_t known = 1;
  std::int64_t* unknown = nullptr;
  for (std::int64_t& extent : shape) {
    if (extent == -1 && unknown == nullptr) {
      unknown = &extent;
    } else if (extent <= 0 || extent > 1'000'000) {
      return std::nullopt;
    } else {
      known *= extent;
    }
  }
  const std::int64_t size = size_of(array.shape);
  if (unknown != nullptr) *unknown = known > 0 ? size / known : 0;
  if (shape.empty() || shape[0] != array.rows || size_of(shape) != size) return std::nullopt;
  ScriptArray changed = array;
  changed.shape = shape;
  const Shape row(shape.begin() + 1, shape.end());
  if (array.part[0] == 'x') changed.changes.push_back({{"shape", row}});
  return array_value(std::move(changed), line);
}

}  // namespace

const KnownDataset* known_dataset(const std::string& name) {
  static const std::array<KnownDataset, 2> known = {
      {{"mnist",
        60000,
        10000,
        {28, 28},
        "lockstep import npz ~/.keras/datasets/mnist.npz --out mnist.h5"},
       {"fashion_mnist",
        60000,
        10000,
        {28, 28},
        "lockstep import idx ~/.keras/datasets/fashion-mnist --out fashion_mnist.h5"}}};
  const auto* found = std::ranges::find_if(
      known, [&](const KnownDataset& dataset) { return dataset.name == name; });
  return found == known.end() ? nullptr : found;
}

ScriptValue load_data(const KnownDataset& dataset, int line) {
  const auto part = [&](const char* name, std::int64_t rows, Shape row) {
    row.insert(row.begin(), rows);
    ScriptArray array{dataset.name, name, std::move(row), 0, rows};
    return array_value(std::move(array), line);
  };
  return sequence_value(
      Value::Kind::kTuple,
      {sequence_value(Value::Kind::kTuple, {part("x_train", dataset.rows, dataset.row_shape),
                                            part("y_train", dataset.rows, {})}),
       sequence_value(Value::Kind::kTuple, {part("x_test", dataset.test_rows, dataset.row_shape),
                                            part("y_test", dataset.test_rows, {})})});
}

std::optional<ScriptValue> array_arithmetic(const ScriptArray& array, const std::string& op,
                                            const ScriptValue& right, int line) {
  if (!right.is_number() || array.part[0] != 'x') return std::nullopt;
  const double number = right.constant.get<double>();
  ScriptArray changed = array;
  if (op == "/" && number != 0) {
    changed.changes.push_back({{"scale", 1 / number}});
  } else if (op == "*") {
    changed.changes.push_back({{"scale", number}});
  } else if (op == "+" || op == "-") {
    changed.changes.push_back({{"scale", 1.0}, {"offset", op == "+" ? number : -number}});
  } else {
    return std::nullopt;
  }
  return array_value(std::move(changed), line);
}

ScriptValue sliced_rows(const ScriptArray& array, std::int64_t first, std::int64_t last, int line) {
  ScriptArray changed = array;
  changed.first = array.first + first;
  changed.rows = last - first;
  changed.shape[0] = changed.rows;
  return array_value(std::move(changed), line);
}

ScriptValue expanded(const ScriptArray& array, int line) {
  ScriptArray changed = array;
  changed.shape.push_back(1);
  const Shape row(changed.shape.begin() + 1, changed.shape.end());
  if (array.part[0] == 'x') changed.changes.push_back({{"shape", row}});
  return array_value(std::move(changed), line);
}

ScriptValue one_hot(const ScriptArray& array, std::int64_t classes, int line) {
  ScriptArray changed = array;
  changed.changes.push_back({{"classes", classes}});
  changed.shape.push_back(classes);
  return array_value(std::move(changed), line);
}

std::optional<ScriptValue> array_method(const ScriptArray& array, const std::string& method,
                                        const ScriptArguments& arguments, int line) {
  if (method == "copy") return array_value(array, line);
  if (method == "astype") {
    if (arguments.size() != 1) return std::nullopt;
    const Value& type = arguments[0].value;
    const std::string name = type.is_string() ? type.constant.get<std::string>() : type.text;
    for (const char* known :
         {"float32", "float64", "float16", "float", "int", "int32", "int64", "uint8"})
      if (name == known || name.ends_with(std::string(".") + known)) {
        // To numbers without a fraction: of pixels and classes only, which have none.
        const bool whole = std::string(known).find("int") != std::string::npos;
        if (whole && !array.changes.empty() && array.part[0] == 'x') return std::nullopt;
        return array_value(array, line);
      }
    return std::nullopt;
  }
  if (method != "reshape") return std::nullopt;
  std::vector<Value> sizes;
  for (const ScriptArgument& argument : arguments) {
    if (!argument.keyword.empty()) return std::nullopt;
    if (argument.value.is_sequence())
      sizes.insert(sizes.end(), argument.value.items->begin(), argument.value.items->end());
    else
      sizes.push_back(argument.value);
  }
  Shape shape;
  for (const Value& size : sizes) {
    if (!size.is_number() || !size.constant.is_number_integer() || shape.size() == 6)
      return std::nullopt;
    shape.push_back(size.constant.get<std::int64_t>());
  }
  return reshaped(array, std::move(shape), line);
}

}  // namespace lockstep
