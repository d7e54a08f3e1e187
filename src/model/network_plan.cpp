#include "src/model/network_plan.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/core/printable.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/keras_order.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Calls = std::vector<Network::Call>;
using Outputs = std::vector<Network::Output>;

std::string* name_in(ordered_json& config) {
  if (!config.is_object() || !config.contains("name") || !config["name"].is_string())
    return nullptr;
  return config["name"].get_ptr<ordered_json::string_t*>();
}

/// Gives the layers of nested models other names where they stand twice in the chain.
void rename_nested(std::vector<LayerSource>& layers) {
  UniqueNames names;
  for (LayerSource& layer : layers)
    if (const std::string* name = name_in(layer.config); name && !layer.nested) names.take(*name);
  for (LayerSource& layer : layers)
    if (std::string* name = name_in(layer.config); name && layer.nested)
      *name = names.take_free(*name);
}

/// Applies a model to these calls: adds its own, and returns its outputs.
Outputs apply(const ModelBlueprint& model, const Outputs& inputs, bool inference,
              NetworkPlan& plan) {
  Calls& calls = plan.calls;
  check(inputs.size() == model.inputs, ExitCode::kBadData,
        "model JSON: ({}): expected a model with {} inputs to be given as many, got {}",
        printable(model.name, 80), model.inputs, inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const auto& layer = model.input_layers[i])
      plan.input_checks.push_back({inputs[i], plan.layers[*layer]});
  struct Made {
    std::optional<std::size_t> call;  // of a layer, whose outputs are not known yet
    Outputs outputs;                  // of a model
  };
  std::vector<Made> made;  // by use
  const auto find = [&](const ModelBlueprint::Tensor& tensor) -> Network::Output {
    if (!tensor.use) return inputs[tensor.output];
    const Made& use = made[*tensor.use];
    return use.call ? Network::Output(*use.call, tensor.output) : use.outputs[tensor.output];
  };
  for (const ModelBlueprint::Use& use : model.uses) {
    plan.tensors += 1 + use.inputs.size();
    check(plan.tensors <= kMaxTensors, ExitCode::kBadData,
          "model JSON: ({}): expected at most {} inputs of layers in all, got more",
          printable(model.name, 80), kMaxTensors);
    const ModelBlueprint::Part& part = model.parts[use.part];
    Outputs of_use;
    for (const auto& tensor : use.inputs) of_use.push_back(find(tensor));
    if (part.model) {
      check(!use.causal, ExitCode::kBadData,
            "model JSON: ({}): expected a call of a model without use_causal_mask, got it",
            printable(part.model->name, 80));
      made.push_back({{}, apply(*part.model, of_use, inference || use.inference, plan)});
    } else {
      check(calls.size() < kMaxCalls, ExitCode::kBadData,
            "model JSON: ({}): expected at most {} uses of layers in all, got more",
            printable(model.name, 80), kMaxCalls);
      calls.push_back(
          {*part.layer, std::move(of_use), inference || use.inference, use.causal, use.unmasked});
      made.push_back({calls.size() - 1, {}});
    }
  }
  Outputs outputs;
  for (const auto& tensor : model.outputs) outputs.push_back(find(tensor));
  return outputs;
}

/// Keeps these layers, in this order. Returns for each old layer its new number.
std::vector<std::size_t> reorder(NetworkPlan& plan, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> number(plan.layers.size(), plan.layers.size());
  std::vector<LayerSource> layers;
  for (const std::size_t layer : order) {
    number[layer] = layers.size();
    layers.push_back(std::move(plan.layers[layer]));
  }
  plan.layers = std::move(layers);
  for (Network::Call& call : plan.calls) call.layer = number[call.layer];
  return number;
}

/// Makes the calls in this order, without those that are not in it.
void reorder_calls(NetworkPlan& plan, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> number(plan.calls.size(), plan.calls.size());
  for (std::size_t i = 0; i < order.size(); ++i) number[order[i]] = i;
  Calls calls;
  for (const std::size_t call : order) {
    for (Network::Output& input : plan.calls[call].inputs) input.call = number[input.call];
    calls.push_back(std::move(plan.calls[call]));
  }
  for (Network::Output& output : plan.outputs) output.call = number[output.call];
  for (auto& [value, input] : plan.input_checks) value.call = number[value.call];
  std::erase_if(plan.input_checks,
                [&](const auto& check) { return check.value.call >= order.size(); });
  plan.calls = std::move(calls);
}

/// Leaves out calls that lead to no output.
void drop_unused_calls(NetworkPlan& plan) {
  std::vector<bool> needed(plan.calls.size(), false);
  for (const Network::Output& output : plan.outputs) needed[output.call] = true;
  for (std::size_t i = plan.calls.size(); i-- > 0;)
    for (const Network::Output& input : plan.calls[i].inputs)
      if (needed[i]) needed[input.call] = true;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < plan.calls.size(); ++i)
    if (needed[i]) order.push_back(i);
  reorder_calls(plan, order);
}

/// Beside the InputLayers of models that have their inputs from the one around them.
void check_all_used(const NetworkPlan& plan, Problems& problems) {
  std::vector<bool> used(plan.layers.size(), false);
  for (const Network::Call& call : plan.calls) used[call.layer] = true;
  for (std::size_t i = 0; i < plan.layers.size(); ++i)
    if (!used[i] && !(plan.layers[i].nested && plan.layers[i].class_name == "InputLayer"))
      problems.add(plan.layers[i].locate(""),
                   "expected every layer to lead to an output, got none");
}

void check_ends(const NetworkPlan& plan, Problems& problems) {
  const auto expect_one = [&](const char* what, const std::vector<std::size_t>& calls) {
    if (calls.size() == 1) return;
    std::vector<std::string> names;
    for (const std::size_t call : calls) {
      const ordered_json& config = plan.layers[plan.calls[call].layer].config;
      if (config.is_object() && config.contains("name")) names.push_back(describe(config["name"]));
    }
    problems.add("model JSON: config", fmt::format("expected one {} of the network, got {} ({})",
                                                   what, calls.size(), fmt::join(names, ", ")));
  };
  std::vector<std::size_t> inputs, outputs;
  for (std::size_t call = 0; call < plan.calls.size(); ++call)
    if (plan.calls[call].inputs.empty()) inputs.push_back(call);
  for (const Network::Output& output : plan.outputs) outputs.push_back(output.call);
  expect_one("input", inputs);
  expect_one("output", outputs);
}

// --- Activations that are layers ---

bool is_activation_layer(const ordered_json& value) {
  return value.is_object() && value.contains("class_name") &&
         std::ranges::any_of(layer_signatures(), [&](const LayerSignature& known) {
           return known.is_activation && value["class_name"] == known.class_name;
         });
}

/// Whether the activation is that of each step, which a layer behind all of them cannot be.
/// Recurrent layers and Transformers do not end with their activation.
bool has_it_inside(const LayerSource& source) {
  return std::ranges::any_of(layer_signatures(), [&](const LayerSignature& known) {
    return known.class_name == source.class_name &&
           std::ranges::any_of(known.arguments, [](const std::string& argument) {
             return argument == "recurrent_initializer" || argument == "intermediate_dim";
           });
  });
}

/// Gives `source` the activation's name if it has one, with these constants; else leaves it linear
/// and returns the layer that follows.
std::optional<LayerSource> split_activation(LayerSource& source, ExitCode code) {
  const ordered_json object = source.config["activation"];
  LayerSource activation{object["class_name"], object.value("config", ordered_json::object()),
                         [locate = source.locate](const std::string& key) {
                           return locate("activation") + (key.empty() ? "" : ": " + key);
                         },
                         source.keras};
  if (activation.config.is_object()) activation.config.erase("name");
  KerasConfig config = activation.read(code);
  const auto layer = make_layer(activation.class_name, config);
  const auto& function = dynamic_cast<const ActivationLayer&>(*layer).function();
  const bool has_name =
      function.kind != Activation::kClippedRelu && function == ActivationFunction(function.kind);
  if (!has_name && has_it_inside(source))
    config.refuse("", "the name of an activation", describe(object));
  source.config["activation"] = has_name ? activation_name(function.kind) : "linear";
  if (has_name) return {};
  return activation;
}

}  // namespace

NetworkPlan plan_chain(std::string name, std::vector<LayerSource> layers) {
  NetworkPlan plan;
  plan.name = std::move(name);
  plan.layers = std::move(layers);
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    plan.calls.push_back({i, std::move(plan.outputs)});
    plan.outputs = {i};
  }
  return plan;
}

NetworkPlan plan_network(ReadModel read, Problems& problems, NetworkRemarks* remarks) {
  NetworkPlan plan;
  plan.name = read.blueprint.name;
  plan.layers = std::move(read.layers);
  plan.built_for = std::move(read.built_for);
  plan.functional = read.functional;
  if (!problems.empty()) {  // the rest of the layers may have some, too
    if (read.functional) return plan;
    const std::string name = plan.name;
    return plan_chain(name, std::move(plan.layers));
  }
  plan.outputs = apply(read.blueprint, {}, false, plan);
  drop_unused_calls(plan);
  check_ends(plan, problems);
  const bool other_ends = !problems.empty();
  check_all_used(plan, problems);
  if (other_ends) {  // of the layers by themselves there may be more problems
    plan.calls.clear();
    plan.outputs.clear();
    plan.input_checks.clear();
    return plan;
  }
  const std::vector<std::size_t> number =
      reorder(plan, KerasOrder(plan.layers.size(), plan.calls, plan.outputs).layers());
  // So that a file that is written from it makes the same network, calls and all.
  reorder_calls(plan, settled_order(plan.layers.size(), plan.calls));
  rename_nested(plan.layers);
  for (const std::size_t layer : number)
    if (layer < plan.layers.size()) plan.file_order.push_back(layer);
  if (!remarks) return plan;
  if (read.has_models)
    remarks->saving_notes.push_back(
        "the models that are layers of the network become its layers in the files that are saved");
  return plan;
}

void split_activations(NetworkPlan& plan, ExitCode code, Problems& problems) {
  std::vector<LayerSource> layers;
  std::vector<std::size_t> number;                 // of each layer, now
  std::vector<std::optional<std::size_t>> behind;  // the activation that follows it
  for (LayerSource& source : plan.layers) {
    std::optional<LayerSource> activation;
    if (source.config.is_object() && source.config.contains("activation") &&
        is_activation_layer(source.config["activation"])) {
      try {
        activation = split_activation(source, code);
      } catch (const ProblemsError& error) {
        problems.add(error.problems());
        source.config["activation"] = "linear";
      }
    }
    number.push_back(layers.size());
    layers.push_back(std::move(source));
    behind.push_back(activation ? std::optional(layers.size()) : std::nullopt);
    if (activation) layers.push_back(std::move(*activation));
  }
  Calls calls;
  std::vector<std::size_t> output;  // of each call, now
  for (Network::Call& call : plan.calls) {
    for (Network::Output& input : call.inputs) input.call = output[input.call];
    const std::size_t layer = call.layer;
    calls.push_back(std::move(call));
    calls.back().layer = number[layer];
    if (behind[layer])
      calls.push_back(
          {*behind[layer], {Network::Output(calls.size() - 1)}, calls.back().inference});
    output.push_back(calls.size() - 1);
  }
  for (Network::Output& end : plan.outputs) end.call = output[end.call];
  for (auto& [value, input] : plan.input_checks) value.call = output[value.call];
  for (std::size_t& layer : plan.file_order) layer = number[layer];
  plan.layers = std::move(layers);
  plan.calls = std::move(calls);
}

}  // namespace lockstep
