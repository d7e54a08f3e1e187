#include "src/model/network_from_plan.hpp"

#include <algorithm>

#include "src/core/keras_names.hpp"
#include "src/core/printable.hpp"
#include "src/layers/make_layer.hpp"
#include "src/layers/reshaping.hpp"
#include "src/layers/time_distributed.hpp"
#include "src/model/model_layer.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

void add_once(std::vector<std::string>& lines, std::string line) {
  if (std::ranges::find(lines, line) == lines.end()) lines.push_back(std::move(line));
}

bool normalizes_batches(const Layer& layer) {
  if (const auto* const model = dynamic_cast<const ModelLayer*>(&layer))
    return std::ranges::any_of(model->network().layers(),
                               [](const auto& its) { return normalizes_batches(*its); });
  return layer.class_name() == "BatchNormalization";
}

/// Adds what there is to say about the layer and its config.
void note(const Layer& layer, const KerasConfig& config, const LayerSource& source,
          NetworkRemarks* remarks, Problems& problems) {
  if (remarks == nullptr) {
    problems.add(config.training_problems());
    return;
  }
  remarks->training.add(config.training_problems());
  remarks->stores.push_back(source.store);
  if (std::ranges::any_of(layer.activations(), [](Activation activation) {
        return is_only_of_keras(activation, KerasMajor::k2);
      }))
    add_once(remarks->saving_notes,
             "hard_sigmoid is the function of Keras 1 and 2; Keras 3 means another by that name");
  if (const auto* const wrapper = dynamic_cast<const TimeDistributed*>(&layer);
      wrapper && config.keras() == KerasMajor::k3 && normalizes_batches(wrapper->layer()))
    add_once(remarks->notes,
             "BatchNormalization in TimeDistributed: in training over all steps together, as in "
             "Keras 2; Keras 3 takes each step by itself");
  if (config.foreign_dtype().empty()) return;
  add_once(remarks->notes, fmt::format("computed in float32: the network asks for {}",
                                       printable(config.foreign_dtype(), 80)));
}

bool is_applied(const NetworkPlan& plan, std::size_t layer) {
  return std::ranges::any_of(plan.calls, [&](const Network::Call& call) {
    return call.layer == layer && !call.inputs.empty();
  });
}

/// The layers, each with a name of its own.
std::vector<std::unique_ptr<Layer>> make_layers(const NetworkPlan& plan, ExitCode code,
                                                NetworkRemarks* remarks, Problems& problems) {
  const std::vector<LayerSource>& sources = plan.layers;
  std::vector<std::unique_ptr<Layer>> layers;
  UniqueNames names;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    try {
      KerasConfig config = sources[i].read(code);
      auto layer = make_layer_of_network(sources[i].class_name, config);
      note(*layer, config, sources[i], remarks, problems);
      if (dynamic_cast<const InputLayer*>(layer.get()) && is_applied(plan, i))
        config.refuse("", "InputLayer in front of all layers only",
                      fmt::format("it as layer {}", i + 1));
      if (sources[i].in_chain && layer->number_of_outputs() > 1)
        config.refuse("return_state", "a layer of one output in a Sequential",
                      fmt::format("{} outputs", layer->number_of_outputs()));
      if (!layer->name().empty() && !names.take(layer->name()))
        config.refuse("name", "every layer to have a name of its own",
                      fmt::format("'{}' twice", printable(layer->name(), 80)));
      layers.push_back(std::move(layer));
    } catch (const ProblemsError& error) {
      problems.add(error.problems());
    }
  }
  problems.throw_if_any(code);
  for (const auto& layer : layers)
    if (layer->name().empty())
      layer->set_name(names.take_free(keras_snake_case(layer->class_name())));
  return layers;
}

/// Throws unless the layers have the outputs that are read.
void check_outputs(const Network& model, const NetworkPlan& plan, ExitCode code) {
  const auto check_input = [&](const Network::Output& input, const LayerSource& source) {
    const std::size_t there = model.outputs_of(input.call);
    if (input.number >= there)
      source.read(code).refuse(
          "", "an output of a listed call as input",
          fmt::format("number {} of {} of {}", input.number, there,
                      printable(model.layers()[plan.calls[input.call].layer]->name(), 80)));
  };
  for (const Network::Call& call : plan.calls)
    for (const Network::Output& input : call.inputs) check_input(input, plan.layers[call.layer]);
  for (const auto& [input, source] : plan.input_checks) check_input(input, source);
  for (const Network::Output& output : plan.outputs)
    check(output.number < model.outputs_of(output.call), code,
          "[{}] expected one of the {} outputs of {}, got number {}", plan.name,
          model.outputs_of(output.call), model.layers()[plan.calls[output.call].layer]->name(),
          output.number);
}

/// Keras 2 alone reads such calls from its form, and Keras 3 from its own.
bool has_calls_with_states(const Network& model) {
  return std::ranges::any_of(model.calls(),
                             [&](const Network::Call& call) {
                               return call.inputs.size() > 1 &&
                                      !model.layers()[call.layer]->merges() &&
                                      !(call.unmasked && model.is_masked(call.inputs.front()));
                             }) ||
         std::ranges::any_of(model.layers(), [](const auto& layer) {
           const ModelLayer* const inner = model_within(*layer);
           return inner && has_calls_with_states(inner->network());
         });
}

/// What becomes of the network in files.
void note_saving(const Network& model, const NetworkPlan& plan, NetworkRemarks& remarks) {
  if (plan.functional && model.is_chain())
    remarks.saving_notes.emplace_back(
        "the functional model, a single chain, becomes a Sequential in the files that are saved");
  if (has_calls_with_states(model))
    remarks.saving_notes.emplace_back(
        "calls with an initial state: of the files that are saved, Keras 2 opens .h5, Keras 3 "
        ".keras");
}

/// The input shape that the layers themselves tell.
std::optional<Shape> told_input_shape(const Layer& front, KerasConfig& first) {
  if (const auto* input = dynamic_cast<const InputLayer*>(&front)) return input->shape();
  return first.batch_shape("batch_input_shape");
}

/// The batch size that stands in front of it, which stateful layers need.
void take_batch_size(KerasConfig& first, Network& model) {
  for (const char* key : {"batch_input_shape", "batch_shape"})
    if (const auto rows = first.batch_size(key)) return model.set_batch_size(*rows);
}

bool is_known(const Shape& shape) {
  return std::ranges::find(shape, -1) == shape.end();
}

/// Applies copies of the layers one by one, which needs no memory for their parameters.
void check_build(const Network& model, const NetworkPlan& plan, const Shape& input, ExitCode code) {
  std::vector<std::unique_ptr<Layer>> layers;
  std::vector<KerasConfig> configs;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    configs.push_back(plan.layers[i].read(code));
    layers.push_back(make_layer_of_network(plan.layers[i].class_name, configs[i]));
    layers[i]->set_name(model.layers()[i]->name());
  }
  Graph graph;
  std::int64_t parameters = 0;
  std::vector<std::vector<std::size_t>> values;
  std::vector<bool> counted(layers.size(), false);
  for (const Network::Call& call : plan.calls) {
    std::vector<std::size_t> inputs;
    KerasConfig& config = configs[call.layer];
    for (const Network::Output& input : call.inputs)
      inputs.push_back(values[input.call][input.number]);
    config.convert("", [&] {
      check_input_size(input);
      if (inputs.empty()) inputs.push_back(graph.add_input(input));
      const std::size_t before = graph.values();
      values.push_back(make_call(graph, *layers[call.layer], call, std::move(inputs)));
      check_size(*layers[call.layer], graph, before, counted[call.layer], parameters);
      counted[call.layer] = true;
    });
    config.throw_if_any();
  }
  for (const auto& [value, source] : plan.input_checks) {
    KerasConfig config = source.read(code);
    const auto layer = make_layer(source.class_name, config);
    config.convert("", [&] {
      return dynamic_cast<const InputLayer&>(*layer).reshaped(
          graph.shape(values[value.call][value.number]));
    });
    config.throw_if_any();
  }
}

}  // namespace

Network unbuilt_from_plan(NetworkPlan& plan, ExitCode code, NetworkRemarks* remarks) {
  Problems problems;
  split_activations(plan, code, problems);
  Network model(plan.name);
  for (auto& layer : make_layers(plan, code, remarks, problems)) model.add_layer(std::move(layer));
  if (!plan.calls.empty()) {
    model.connect(plan.calls, plan.outputs);
    check_outputs(model, plan, code);
  }
  return model;
}

Network network_from_plan(NetworkPlan plan, ExitCode code, NetworkRemarks* remarks) {
  Network model = unbuilt_from_plan(plan, code, remarks);
  if (plan.calls.empty()) return model;
  if (remarks) remarks->file_order = plan.file_order;

  const std::size_t front = plan.calls.front().layer;
  KerasConfig first = plan.layers[front].read(code);
  auto shape = told_input_shape(*model.layers()[front], first);
  take_batch_size(first, model);
  first.throw_if_any();
  // Sequences of any length, images of any size: the rows tell.
  if (shape && !is_known(*shape)) return model;
  if (plan.built_for && !is_known(*plan.built_for)) plan.built_for.reset();
  if (shape && plan.built_for && *shape != *plan.built_for)
    first.refuse("batch_input_shape",
                 to_string_batched(*plan.built_for) + " as the model was built for",
                 to_string_batched(*shape));
  if (!shape) shape = plan.built_for;
  if (shape) {
    check_build(model, plan, *shape, code);
    model.build(*shape);
    if (remarks) note_saving(model, plan, *remarks);
  }
  return model;
}

}  // namespace lockstep
