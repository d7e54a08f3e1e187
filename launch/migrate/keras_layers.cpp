#include <algorithm>
#include <array>

#include "launch/migrate/keras_calls.hpp"
#include "src/core/printable.hpp"
#include "src/layers/make_layer.hpp"

namespace lockstep {
namespace {

using Value = ScriptValue;
using Kind = ScriptValue::Kind;
using Json = nlohmann::ordered_json;

struct Words {
  std::string_view from;
  const char* to;
};

// Other names of Keras's.
constexpr std::array<Words, 22> kClassNames = {{{"Input", "InputLayer"},
                                                {"Convolution1D", "Conv1D"},
                                                {"Convolution2D", "Conv2D"},
                                                {"Convolution3D", "Conv3D"},
                                                {"Convolution2DTranspose", "Conv2DTranspose"},
                                                {"SeparableConvolution2D", "SeparableConv2D"},
                                                {"MaxPool1D", "MaxPooling1D"},
                                                {"MaxPool2D", "MaxPooling2D"},
                                                {"MaxPool3D", "MaxPooling3D"},
                                                {"AvgPool1D", "AveragePooling1D"},
                                                {"AvgPool2D", "AveragePooling2D"},
                                                {"AvgPool3D", "AveragePooling3D"},
                                                {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
                                                {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
                                                {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
                                                {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
                                                {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
                                                {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
                                                {"CuDNNLSTM", "LSTM"},
                                                {"CuDNNGRU", "GRU"},
                                                {"BatchNorm", "BatchNormalization"},
                                                {"Merge", ""}}};

/// The positional arguments of what stands as an argument of a layer, and its class name there.
struct ObjectSignature {
  const char* class_name;
  std::vector<std::string> arguments;
};

ObjectSignature object_signature(const std::string& name) {
  static const std::map<std::string, ObjectSignature> known = {
      {"l1", {"L1", {"l1"}}},
      {"L1", {"L1", {"l1"}}},
      {"l2", {"L2", {"l2"}}},
      {"L2", {"L2", {"l2"}}},
      {"l1_l2", {"L1L2", {"l1", "l2"}}},
      {"L1L2", {"L1L2", {"l1", "l2"}}},
      {"Constant", {"Constant", {"value"}}},
      {"constant", {"Constant", {"value"}}},
      {"Identity", {"Identity", {"gain"}}},
      {"VarianceScaling", {"VarianceScaling", {"scale", "mode", "distribution", "seed"}}},
      {"RandomUniform", {"RandomUniform", {"minval", "maxval", "seed"}}},
      {"RandomNormal", {"RandomNormal", {"mean", "stddev", "seed"}}},
      {"TruncatedNormal", {"TruncatedNormal", {"mean", "stddev", "seed"}}},
      {"Orthogonal", {"Orthogonal", {"gain", "seed"}}},
      {"max_norm", {"MaxNorm", {"max_value", "axis"}}},
      {"maxnorm", {"MaxNorm", {"max_value", "axis"}}},
      {"MaxNorm", {"MaxNorm", {"max_value", "axis"}}},
      {"non_neg", {"NonNeg", {}}},
      {"NonNeg", {"NonNeg", {}}},
      {"unit_norm", {"UnitNorm", {"axis"}}},
      {"UnitNorm", {"UnitNorm", {"axis"}}},
      {"MinMaxNorm", {"MinMaxNorm", {"min_value", "max_value", "rate", "axis"}}}};
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  return {nullptr, {"seed"}};
}

const LayerSignature* signature_of(const std::string& class_name) {
  const auto found = std::ranges::find(layer_signatures(), class_name, &LayerSignature::class_name);
  return found == layer_signatures().end() ? nullptr : &*found;
}

std::optional<Json> object_config(ScriptReader& reader, const ScriptObject& object) {
  const ObjectSignature signature = object_signature(object.name());
  Json config = Json::object();
  std::size_t position = 0;
  for (const ScriptArgument& argument : object.arguments) {
    std::string name = argument.keyword;
    if (name.empty()) {
      if (position >= signature.arguments.size()) return std::nullopt;
      name = signature.arguments[position++];
    }
    if (name == "l" && !signature.arguments.empty()) name = signature.arguments[0];
    const auto value = config_value(reader, argument.value);
    if (!value) return std::nullopt;
    config[name] = *value;
  }
  return Json{
      {"class_name", signature.class_name != nullptr ? signature.class_name : object.name()},
      {"config", config}};
}

/// The shape of one sample, from any of the arguments that tell it.
void take_shape(ScriptLayer& layer, const std::string& name, const Json& value) {
  Json shape = value.is_array() ? value : Json::array({value});
  if (name.starts_with("batch") && !shape.empty()) shape.erase(0);
  layer.input_shape = shape;
}

bool tells_shape(const std::string& class_name, const std::string& name) {
  if (name == "input_shape" || name == "batch_input_shape" || name == "batch_shape") return true;
  if (name == "shape") return class_name == "InputLayer";
  return name == "input_dim" && class_name != "Embedding";
}

void take_argument(ScriptReader& reader, ScriptLayer& layer, const std::string& name,
                   const Value& given) {
  const auto value = config_value(reader, given);
  if (!value && tells_shape(layer.class_name, name)) {
    reader.note(
        fmt::format("the shape in line {} is not known here: the data tell it", reader.line()));
    return;
  }
  if (!value && name == "name") {
    reader.note(fmt::format("the name of the {} in line {} is not known here, and left out",
                            layer.class_name, reader.line()));
    return;
  }
  if (!value) {
    const std::string reason =
        fmt::format("{} of {} is not understood", printable(name, 60), layer.class_name);
    reader.unread(reader.line(), reason, true);
    return;
  }
  if (tells_shape(layer.class_name, name)) {
    take_shape(layer, name, *value);
  } else if (name == "name") {
    if (value->is_string()) layer.name = value->get<std::string>();
  } else if (name == "trainable") {
    if (value->is_boolean()) layer.trainable = value->get<bool>();
  } else if (name == "input_length" || name == "batch_size" || name == "dtype" ||
             (layer.class_name == "InputLayer" && (name == "sparse" || name == "ragged"))) {
    // Of the data, or float32 as always.
  } else if (!value->is_null()) {
    layer.config[name] = *value;
  }
}

}  // namespace

Value node_value(std::shared_ptr<ScriptLayer> layer,
                 std::vector<std::shared_ptr<ScriptNode>> inputs) {
  Value value;
  value.kind = Kind::kNode;
  value.node = std::make_shared<ScriptNode>();
  value.node->layer = std::move(layer);
  value.node->inputs = std::move(inputs);
  return value;
}

namespace {

/// How a layer names the tensors that it is called on.
std::string tensor_argument(const ScriptLayer& layer, std::size_t position) {
  constexpr std::array<const char*, 3> kOfAttention = {"query", "value", "key"};
  if (position == 0 || position >= kOfAttention.size()) return "";
  return layer.class_name == "MultiHeadAttention" || layer.class_name == "GroupQueryAttention"
             ? kOfAttention[position]
             : "";
}

}  // namespace

std::string layer_class_of(const std::string& path) {
  std::string name = path.substr(path.rfind('.') + 1);
  for (const Words& words : kClassNames)
    if (words.from == name) name = words.to;
  return name == "InputLayer" || signature_of(name) != nullptr ? name : "";
}

std::optional<Json> config_value(ScriptReader& reader, const Value& value, int depth) {
  reader.step();
  if (depth > 50) return std::nullopt;
  switch (value.kind) {
    case Kind::kConstant:
      return value.constant;
    case Kind::kList:
    case Kind::kTuple: {
      Json all = Json::array();
      for (const Value& item : *value.items) {
        const auto json = config_value(reader, item, depth + 1);
        if (!json) return std::nullopt;
        all.push_back(*json);
      }
      return all;
    }
    case Kind::kPath: {  // tf.nn.relu, keras.initializers.HeNormal
      const std::size_t dot = value.text.rfind('.');
      if (dot == std::string::npos) return std::nullopt;
      const std::string name = value.text.substr(dot + 1);
      if (value.text.starts_with("tensorflow.nn.") ||
          value.text.find("activations.") != std::string::npos)
        return name;
      if (!layer_class_of(value.text).empty() || value.text.starts_with("keras."))
        return Json{
            {"class_name", layer_class_of(value.text).empty() ? name : layer_class_of(value.text)},
            {"config", Json::object()}};
      return std::nullopt;
    }
    case Kind::kObject:
      return object_config(reader, *value.object);
    case Kind::kLayer: {
      if (value.layer->class_name.empty() || value.layer->model) return std::nullopt;
      Json config = value.layer->config;
      if (!value.layer->name.empty()) config["name"] = value.layer->name;
      if (value.layer->trainable) config["trainable"] = *value.layer->trainable;
      return Json{{"class_name", value.layer->class_name}, {"config", config}};
    }
    default:
      return std::nullopt;
  }
}

Value make_layer_value(ScriptReader& reader, const std::string& class_name,
                       const ScriptArguments& arguments) {
  auto layer = std::make_shared<ScriptLayer>();
  layer->class_name = class_name;
  layer->line = reader.line();
  std::vector<std::string> known = {"shape"};
  if (const LayerSignature* signature = signature_of(class_name)) known = signature->arguments;
  std::size_t position = 0;
  for (const ScriptArgument& argument : arguments) {
    std::string name = argument.keyword;
    if (argument.unknown) {
      reader.unread(layer->line, fmt::format("arguments of {} are not understood", class_name),
                    true);
      continue;
    }
    if (name.empty()) {
      if (position >= known.size()) {
        reader.unread(layer->line, fmt::format("{} has no such argument", class_name), true);
        continue;
      }
      name = known[position++];
    }
    static const std::array<std::string_view, 12> kCommon = {
        "name",        "trainable",  "dtype",       "input_shape",  "batch_input_shape",
        "batch_shape", "batch_size", "input_shape", "input_length", "input_dim",
        "sparse",      "ragged"};
    const bool is_known = std::ranges::find(known, name) != known.end() ||
                          std::ranges::find(kCommon, name) != kCommon.end();
    if (!is_known) {
      const bool alpha = class_name == "LeakyReLU" && name == "alpha";
      if (!alpha) {
        if (!argument.value.is_none())
          reader.unread(layer->line,
                        fmt::format("Lockstep's {} has no {}", class_name, printable(name, 60)));
        continue;
      }
    }
    take_argument(reader, *layer, name, argument.value);
  }
  Value value;
  value.kind = Kind::kLayer;
  value.layer = std::move(layer);
  return value;
}

Value apply_layer(ScriptReader& reader, const std::shared_ptr<ScriptLayer>& layer,
                  const ScriptArguments& arguments) {
  std::vector<std::shared_ptr<ScriptNode>> inputs;
  std::vector<std::pair<std::string, Value>> others;
  std::size_t position = 0;
  for (const ScriptArgument& argument : arguments) {
    const std::string keyword =
        argument.keyword.empty() ? tensor_argument(*layer, position++) : argument.keyword;
    const Value& value = argument.value;
    const bool first =
        keyword.empty() || (inputs.empty() && (keyword == "inputs" || keyword == "query"));
    if (value.is(Kind::kNode) && first) {
      inputs.push_back(value.node);
    } else if (value.is_sequence() && first) {
      for (const Value& item : *value.items) {
        if (item.is(Kind::kNode)) inputs.push_back(item.node);
        if (!item.is(Kind::kNode))
          reader.unread(reader.line(), "what the layer is applied to is not understood", true);
      }
    } else if (value.is(Kind::kNode) || value.is(Kind::kConstant)) {
      if (keyword == "training" && value.is(Kind::kConstant) && value.constant.is_boolean() &&
          value.constant.get<bool>()) {
        reader.unread(reader.line(),
                      "training=True, which holds in inference, too, is not carried over");
      } else if (!value.is_none() && !keyword.empty()) {
        others.emplace_back(keyword, value);
      }
    } else {
      reader.unread(reader.line(), "what the layer is applied to is not understood", true);
    }
  }
  if (inputs.empty()) return reader.opaque_of(arguments);
  reader.made_node();
  Value value = node_value(layer, inputs);
  if (layer->is_left_out())
    value.node = inputs[0];  // left out
  else
    value.node->arguments = std::move(others);
  return value;
}

Value apply_new_layer(ScriptReader& reader, const std::string& class_name, Json config,
                      const std::vector<Value>& inputs) {
  auto layer = std::make_shared<ScriptLayer>();
  layer->class_name = class_name;
  layer->config = std::move(config);
  if (const auto name = layer->config.find("name"); name != layer->config.end()) {
    if (name->is_string()) layer->name = name->get<std::string>();
    layer->config.erase("name");
  }
  layer->line = reader.line();
  std::vector<std::shared_ptr<ScriptNode>> nodes;
  for (const Value& input : inputs) nodes.push_back(input.node);
  reader.made_node();
  return node_value(std::move(layer), std::move(nodes));
}

}  // namespace lockstep
