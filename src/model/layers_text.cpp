#include "src/model/layers_text.hpp"

#include <algorithm>
#include <map>

#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/network_from_plan.hpp"
#include "src/model/python_call.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// A class as one writes it in Python, with the order of its positional arguments.
struct Signature {
  std::string name;
  std::string class_name;
  std::vector<std::string> arguments;
};

/// Layers; `activations`: only those which stand as a Dense's activation, too.
std::vector<Signature> signatures_of_layers(bool activations) {
  std::vector<Signature> signatures;
  if (!activations) signatures.push_back({"Input", "InputLayer", {"shape"}});
  for (const LayerSignature& layer : layer_signatures())
    if (!activations || layer.is_activation)
      signatures.push_back({layer.class_name, layer.class_name, layer.arguments});
  return signatures;
}

const std::vector<Signature>& all_layers() {
  static const std::vector<Signature> signatures = signatures_of_layers(false);
  return signatures;
}

/// Activations, initializers, regularizers and constraints, which stand as arguments.
const std::vector<Signature>& object_signatures() {
  static const std::vector<Signature> signatures = [] {
    std::vector<Signature> all = {
        {"l1", "L1", {"l1"}},
        {"l2", "L2", {"l2"}},
        {"l1_l2", "L1L2", {"l1", "l2"}},
        {"L1", "L1", {"l1"}},
        {"L2", "L2", {"l2"}},
        {"L1L2", "L1L2", {"l1", "l2"}},
        {"MaxNorm", "MaxNorm", {"max_value", "axis"}},
        {"max_norm", "MaxNorm", {"max_value", "axis"}},
        {"maxnorm", "MaxNorm", {"m", "axis"}},
        {"NonNeg", "NonNeg", {}},
        {"non_neg", "NonNeg", {}},
        {"UnitNorm", "UnitNorm", {"axis"}},
        {"unit_norm", "UnitNorm", {"axis"}},
        {"MinMaxNorm", "MinMaxNorm", {"min_value", "max_value", "rate", "axis"}},
        {"min_max_norm", "MinMaxNorm", {"min_value", "max_value", "rate", "axis"}},
        {"Zeros", "Zeros", {}},
        {"Ones", "Ones", {}},
        {"Constant", "Constant", {"value"}},
        {"Identity", "Identity", {"gain"}},
        {"VarianceScaling", "VarianceScaling", {"scale", "mode", "distribution", "seed"}},
        {"RandomUniform", "RandomUniform", {"minval", "maxval", "seed"}},
        {"RandomNormal", "RandomNormal", {"mean", "stddev", "seed"}},
        {"TruncatedNormal", "TruncatedNormal", {"mean", "stddev", "seed"}},
        {"Orthogonal", "Orthogonal", {"gain", "seed"}}};
    for (const char* name :
         {"GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"})
      all.push_back({name, name, {"seed"}});
    const std::vector<Signature> activations = signatures_of_layers(true);
    all.insert(all.end(), activations.begin(), activations.end());
    return all;
  }();
  return signatures;
}

const Signature& find_signature(const PythonCall& call, const std::vector<Signature>& signatures,
                                const std::string& kind) {
  std::vector<std::string> names;
  for (const Signature& signature : signatures) {
    if (signature.name == call.name) return signature;
    names.push_back(signature.name);
  }
  fail(ExitCode::kUsage, "[layers] column {}: expected {} ({}), got '{}'{}", call.column, kind,
       fmt::join(names, ", "), printable(call.name, 80), did_you_mean(call.name, names));
}

/// The argument's name by its position or keyword.
std::string argument_name(const Signature& signature, const PythonArgument& argument,
                          std::size_t position, const std::vector<std::string>& keywords) {
  std::vector<std::string> known = signature.arguments;
  if (argument.keyword.empty()) {
    check(position < known.size(), ExitCode::kUsage,
          "[layers] column {}: expected at most {} positional arguments of {}, got one more",
          argument.column, known.size(), signature.name);
    return known[position];
  }
  for (const std::string& keyword : keywords)
    if (std::ranges::find(known, keyword) == known.end()) known.push_back(keyword);
  check(std::ranges::find(known, argument.keyword) != known.end(), ExitCode::kUsage,
        "[layers] column {}: expected an argument of {} ({}), got '{}'{}", argument.column,
        signature.name, fmt::join(known, ", "), printable(argument.keyword, 80),
        did_you_mean(argument.keyword, known));
  return argument.keyword;
}

/// Arguments that are layers themselves.
bool is_layer(const std::string& argument) {
  return argument == "layer" || argument == "backward_layer" || argument == "cell" ||
         argument == "cells";
}

ordered_json to_json(const PythonValue& value, const std::string& argument);

/// {"class_name", "config"} of a layer, an activation, an initializer, a regularizer or a
/// constraint.
ordered_json object_to_json(const PythonCall& call, bool layer) {
  static const std::vector<std::string> kOfLayers = {"name", "trainable", "dtype"};
  const Signature& signature =
      layer ? find_signature(call, all_layers(), "a layer")
            : find_signature(call, object_signatures(),
                             "an activation, an initializer, a regularizer or a constraint");
  ordered_json config = ordered_json::object();
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const std::string name = argument_name(signature, call.arguments[i], i,
                                           layer ? kOfLayers : std::vector<std::string>());
    config[name] = to_json(call.arguments[i].value, name);
  }
  return {{"class_name", signature.class_name}, {"config", config}};
}

ordered_json to_json(const PythonValue& value, const std::string& argument) {
  if (!value.list.empty()) {
    ordered_json all = ordered_json::array();
    for (const PythonValue& element : value.list) all.push_back(to_json(element, argument));
    return all;
  }
  return value.call ? object_to_json(*value.call, is_layer(argument)) : value.json;
}

/// (28, 28), or 784 for (784,), with the batch axis in front.
ordered_json batched(const ordered_json& shape) {
  ordered_json json = ordered_json::array({nullptr});
  if (!shape.is_array()) return ordered_json::array({nullptr, shape});
  json.insert(json.end(), shape.begin(), shape.end());
  return json;
}

/// What an argument's name is in a config, and where and how the user wrote it.
struct Written {
  std::size_t column;
  std::string name;
};

LayerSource to_source(const PythonCall& call) {
  static const std::vector<std::string> kCommon = {
      "name", "trainable", "dtype", "input_shape", "input_dim", "activity_regularizer"};
  const Signature& signature = find_signature(call, all_layers(), "a layer");
  LayerSource source{signature.class_name, ordered_json::object(), {}};
  source.in_chain = true;
  std::map<std::string, Written> written;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const PythonArgument& argument = call.arguments[i];
    const std::string name = argument_name(signature, argument, i, kCommon);
    const bool is_input = name == "shape" || name == "input_shape" ||
                          (name == "input_dim" && signature.class_name != "Embedding");
    const std::string key = is_input ? "batch_input_shape" : name;
    check(!written.contains(key), ExitCode::kUsage,
          "[layers] column {}: expected '{}' once, got it twice", argument.column, name);
    const ordered_json value = to_json(argument.value, name);
    source.config[key] = is_input ? batched(value) : value;
    written[key] = {argument.column, name};
  }
  source.locate = [written, call = signature.name, column = call.column](const std::string& key) {
    const auto argument = written.find(key);
    if (key.empty()) return fmt::format("[layers] column {}: {}", column, call);
    if (argument == written.end())
      return fmt::format("[layers] column {}: {}: {}", column, call,
                         key == "batch_input_shape" ? "shape" : key);
    return fmt::format("[layers] column {}: {}: {}", argument->second.column, call,
                       argument->second.name);
  };
  return source;
}

}  // namespace

std::vector<LayerSource> layers_from_text(const std::string& text) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  std::vector<LayerSource> sources;
  for (const PythonCall& call : parse_python_calls(text)) {
    LayerSource source = to_source(call);
    check(sources.empty() || !source.config.contains("batch_input_shape") ||
              source.class_name == "InputLayer",
          ExitCode::kUsage,
          "{}: expected an input shape in the first layer only, got one in layer {}",
          source.locate("batch_input_shape"), sources.size() + 1);
    sources.push_back(std::move(source));
  }
  check(sources.size() <= kMaxLayers, ExitCode::kUsage,
        "[layers] expected at most {} layers, got {}", kMaxLayers, sources.size());
  return sources;
}

Network model_from_layers_text(const std::string& text) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return network_from_plan(plan_chain("sequential", layers_from_text(text)), ExitCode::kUsage);
}

}  // namespace lockstep
