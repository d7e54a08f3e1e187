#include "launch/migrate/keras_calls.hpp"

#include <algorithm>
#include <array>

#include "launch/migrate/array_changes.hpp"
#include "launch/migrate/python_arithmetic.hpp"
#include "src/activations/activation.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;
using Json = nlohmann::ordered_json;

bool has_part(const std::string& path, std::string_view part) {
  const std::string whole = "." + path + ".";
  return whole.find("." + std::string(part) + ".") != std::string::npos;
}

std::string last_of(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

bool is_keras(const std::string& path) {
  return path.starts_with("keras.") || path.starts_with("tensorflow.") ||
         path.starts_with("keras_hub.") || path.starts_with("keras_nlp.");
}

bool is_activation(const std::string& name) {
  try {
    activation_from_name(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Layers that change the rows in training only.
bool is_augmentation(const std::string& name) {
  static const std::array<std::string_view, 8> kNames = {
      "RandomFlip",     "RandomRotation",   "RandomZoom",  "RandomTranslation",
      "RandomContrast", "RandomBrightness", "RandomShear", "RandomErasing"};
  return std::ranges::find(kNames, name) != kNames.end();
}

Value object_value(const std::string& path, const ScriptArguments& arguments, int line) {
  Value value;
  value.kind = Kind::kObject;
  value.object = std::make_shared<ScriptObject>(ScriptObject{path, arguments, line});
  return value;
}

void set_seed(ScriptReader& reader, const ScriptArguments& arguments) {
  if (arguments.empty() || !arguments[0].value.is_number()) return;
  const Json& seed = arguments[0].value.constant;
  if (!seed.is_number_integer() || seed.get<std::int64_t>() < 0 ||
      seed.get<std::int64_t>() > 2'000'000'000)
    return;
  reader.seed = seed.get<int>();
  reader.note("the seed is the script's; the numbers drawn from it are Lockstep's, not Keras's");
}

Value dataset_of(ScriptReader& reader, const std::string& path) {
  const std::string module = path.substr(0, path.rfind('.'));
  if (const KnownDataset* dataset = known_dataset(last_of(module)))
    return load_data(*dataset, reader.line());
  return reader.opaque();
}

Value classes_of(ScriptReader& reader, const ScriptArguments& arguments) {
  const Value* of = argument_of(arguments, "x", 0);
  if (of == nullptr) of = argument_of(arguments, "y", 0);
  const Value* classes = argument_of(arguments, "num_classes", 1);
  const bool plain = of != nullptr && of->is(Kind::kArray) && of->array->part[0] == 'y' &&
                     of->array->changes.empty();
  if (!plain) return reader.opaque_of(arguments);
  if (classes == nullptr || classes->is_none()) return one_hot(*of->array, 10, reader.line());
  if (!classes->is_number() || !classes->constant.is_number_integer())
    return reader.opaque_of(arguments);
  return one_hot(*of->array, classes->constant.get<std::int64_t>(), reader.line());
}

/// add([x, y]), concatenate([x, y], axis=-1), keras.ops.add(x, y)
std::optional<Value> merged(ScriptReader& reader, const std::string& name,
                            const ScriptArguments& arguments) {
  static const std::array<std::pair<std::string_view, const char*>, 9> kNames = {
      {{"add", "Add"},
       {"subtract", "Subtract"},
       {"multiply", "Multiply"},
       {"average", "Average"},
       {"maximum", "Maximum"},
       {"minimum", "Minimum"},
       {"concatenate", "Concatenate"},
       {"concat", "Concatenate"},
       {"dot", "Dot"}}};
  const auto* found =
      std::ranges::find_if(kNames, [&](const auto& known) { return known.first == name; });
  if (found == kNames.end()) return std::nullopt;
  std::vector<Value> inputs;
  Json config = Json::object();
  for (const ScriptArgument& argument : arguments) {
    if (argument.value.is(Kind::kNode)) {
      inputs.push_back(argument.value);
    } else if (argument.value.is_sequence() && inputs.empty()) {
      inputs = *argument.value.items;
    } else if (argument.value.is(Kind::kConstant)) {
      config[argument.keyword.empty() ? (name == "dot" ? "axes" : "axis") : argument.keyword] =
          argument.value.constant;
    } else {
      return std::nullopt;
    }
  }
  if (inputs.size() < 2 ||
      !std::ranges::all_of(inputs, [](const Value& value) { return value.is(Kind::kNode); }))
    return std::nullopt;
  return apply_new_layer(reader, found->second, config, inputs);
}

/// tf.nn.relu(x), keras.activations.relu(x, max_value=6)
Value activated(ScriptReader& reader, const std::string& path, const ScriptArguments& arguments) {
  const std::string name = last_of(path);
  Json config = Json::object();
  bool plain = true, known = name == "relu" || name == "leaky_relu";
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const Value& value = arguments[i].value;
    std::string key = arguments[i].keyword;
    if ((key.empty() && i == 1) || key == "alpha") key = "negative_slope";
    const bool is_name = key == "name";
    plain = plain && is_name;
    known = known && (is_name || key == "negative_slope" ||
                      (name == "relu" && (key == "max_value" || key == "threshold")));
    known = known && value.is(Kind::kConstant);
    if (value.is(Kind::kConstant) && !value.is_none()) config[key] = value.constant;
  }
  if (!plain && known) {
    if (name == "leaky_relu" && !config.contains("negative_slope")) config["negative_slope"] = 0.2;
    return apply_new_layer(reader, name == "relu" ? "ReLU" : "LeakyReLU", config,
                           {arguments[0].value});
  }
  if (!plain)
    reader.unread(reader.line(),
                  fmt::format("the settings of {} are not carried over", printable(name, 60)),
                  true);
  Json activation = {{"activation", name}};
  if (config.contains("name")) activation["name"] = config["name"];
  return apply_new_layer(reader, "Activation", activation, {arguments[0].value});
}

}  // namespace

std::string canonical_path(const std::string& path) {
  for (const std::string prefix :
       {"tensorflow.keras", "tensorflow.python.keras", "tensorflow.contrib.keras",
        "tensorflow.compat.v1.keras", "tensorflow.compat.v2.keras", "tf_keras", "keras.api",
        "keras.src"})
    if (path == prefix || path.starts_with(prefix + "."))
      return canonical_path("keras" + path.substr(prefix.size()));
  return path;
}

bool is_harmless(const std::string& path) {
  static const std::array<std::string_view, 24> kTops = {
      "print",    "matplotlib", "seaborn", "os",    "sys",     "time",    "warnings", "logging",
      "pprint",   "gc",         "open",    "input", "display", "IPython", "shutil",   "pathlib",
      "datetime", "random",     "json",    "tqdm",  "pickle",  "wandb",   "argparse", "plotly"};
  const std::string top = path.substr(0, path.find('.'));
  if (std::ranges::find(kTops, top) != kTops.end()) return true;
  static const std::array<std::string_view, 8> kLast = {
      "clear_session",       "plot_model",      "enable_eager_execution",
      "disable_v2_behavior", "set_verbosity",   "list_physical_devices",
      "set_memory_growth",   "set_printoptions"};
  return std::ranges::find(kLast, last_of(path)) != kLast.end() ||
         path.starts_with("sklearn.metrics");
}

const ScriptValue* argument_of(const ScriptArguments& arguments, const std::string& name,
                               std::size_t position) {
  std::size_t at = 0;
  for (const ScriptArgument& argument : arguments) {
    if (argument.keyword == name) return &argument.value;
    if (argument.keyword.empty() && at++ == position) return &argument.value;
  }
  return nullptr;
}

ScriptValue call_path(ScriptReader& reader, const std::string& path, ScriptArguments& arguments) {
  const std::string name = last_of(path);
  if (name == "seed" || name == "set_seed" || name == "set_random_seed") {
    set_seed(reader, arguments);
    return ScriptReader::result();
  }
  if (is_harmless(path)) return ScriptReader::result();
  if (path.starts_with("math.") || path.starts_with("numpy.")) {
    std::vector<Json> constants;
    for (const ScriptArgument& argument : arguments)
      constants.push_back(argument.value.is(Kind::kConstant) ? argument.value.constant : Json());
    if (const auto value = python_math(name, constants)) return constant_value(*value);
  }
  if (path == "numpy.prod" && arguments.size() == 1 && arguments[0].value.is_sequence()) {
    Json product = 1;
    for (const Value& factor : *arguments[0].value.items) {
      const auto next =
          factor.is_number() ? python_binary("*", product, factor.constant) : std::optional<Json>();
      if (!next) return reader.opaque_of(arguments);
      product = *next;
    }
    return constant_value(product);
  }
  if (path == "numpy.expand_dims" || path == "tensorflow.expand_dims") {
    const Value* of = argument_of(arguments, "a", 0);
    const Value* axis = argument_of(arguments, "axis", 1);
    if (of != nullptr && of->is(Kind::kArray) && axis != nullptr && axis->is_number()) {
      const auto at = axis->constant.get<double>();
      if (at == -1 || at == static_cast<double>(of->array->shape.size()))
        return expanded(*of->array, reader.line());
    }
    return reader.opaque_of(arguments);
  }
  if (path == "numpy.reshape" && arguments.size() == 2 && arguments[0].value.is(Kind::kArray)) {
    if (auto changed =
            array_method(*arguments[0].value.array, "reshape", {arguments[1]}, reader.line()))
      return *changed;
    return reader.opaque_of(arguments);
  }
  if (name == "load_data") return dataset_of(reader, path);
  if (name == "to_categorical") return classes_of(reader, arguments);
  if (name == "image_data_format") return constant_value("channels_last");
  if (!is_keras(path)) {
    const bool on_tensor = std::ranges::any_of(
        arguments, [](const ScriptArgument& argument) { return argument.value.is(Kind::kNode); });
    if (on_tensor)
      reader.unread(reader.line(), "what is applied to a tensor here is not understood", true);
    return reader.opaque_of(arguments);
  }
  if (name == "Sequential") return make_sequential(reader, arguments);
  if (name == "Model" || name == "Functional") return make_functional(reader, arguments);
  if (name == "load_model") return load_model_value(reader, arguments);
  if (has_part(path, "applications") && std::isupper(static_cast<unsigned char>(name[0]))) {
    reader.unread(reader.line(),
                  "the layers and weights of keras.applications are not in the script: save the "
                  "network by Keras, model.save(\"base.keras\"), and load it by load_model()",
                  true);
    return reader.opaque_of(arguments);
  }
  for (const char* group : {"optimizers", "losses", "metrics", "callbacks", "regularizers",
                            "initializers", "constraints", "schedules"})
    if (has_part(path, group)) return object_value(path, arguments, reader.line());
  if (!arguments.empty() &&
      (has_part(path, "activations") || has_part(path, "nn") || has_part(path, "ops")) &&
      arguments[0].value.is(Kind::kNode) && is_activation(name))
    return activated(reader, path, arguments);
  if (auto value = merged(reader, name, arguments)) return *value;
  if (const std::string layer = layer_class_of(path); !layer.empty()) {
    const Value value = make_layer_value(reader, layer, arguments);
    return name == "Input" ? node_value(value.layer, {}) : value;
  }
  const bool on_tensor = std::ranges::any_of(
      arguments, [](const ScriptArgument& argument) { return argument.value.is(Kind::kNode); });
  if (has_part(path, "layers") || on_tensor) {
    if (is_augmentation(name)) {
      reader.unread(reader.line(), "rows are not changed at random here: the layer is left out");
    } else {
      reader.unread(reader.line(), fmt::format("Lockstep has no {}", printable(name, 60)), true);
    }
    if (on_tensor) return reader.opaque_of(arguments);
    Value value;  // left out wherever it is used
    value.kind = Kind::kLayer;
    value.layer = std::make_shared<ScriptLayer>();
    value.layer->line = reader.line();
    return value;
  }
  return reader.opaque_of(arguments);
}

}  // namespace lockstep
