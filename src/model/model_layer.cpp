#include "src/model/model_layer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/make_layer.hpp"
#include "src/layers/time_distributed.hpp"
#include "src/model/keras_order.hpp"
#include "src/model/model_blueprint.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_from_plan.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMostIndices = 1 << 14;  // as Layer::random_key() has it

using nlohmann::ordered_json;

bool is_input_of_unknown_shape(const ordered_json& layer) {
  if (!layer.is_object() || layer.value("class_name", ordered_json()) != "InputLayer") return false;
  const ordered_json config = layer.value("config", ordered_json());
  for (const char* key : {"batch_input_shape", "batch_shape"})
    if (config.is_object() && config.contains(key) && config[key].is_array())
      return std::ranges::count(config[key], ordered_json(nullptr)) > 1;
  return false;
}

/// Keras 2 puts such a one in front of a Sequential that begins with an Embedding. The layer around
/// it knows the shape.
ordered_json without_unknown_shape(ordered_json model) {
  if (model["class_name"] != "Sequential" || !model.contains("config")) return model;
  ordered_json& config = model["config"];
  if (config.is_object() && config.contains("layers") && config["layers"].is_array() &&
      config["layers"].size() > 1 && is_input_of_unknown_shape(config["layers"].front()))
    config["layers"].erase(0);
  return model;
}

std::unique_ptr<Layer> read_model_layer(const ordered_json& json, KerasMajor keras) {
  Problems problems;
  ReadModel read = read_model_blueprint(without_unknown_shape(json), keras, problems);
  check(!read.has_models, ExitCode::kBadData,
        "expected a model whose layers are no models, got one with models");
  NetworkPlan plan = plan_network(std::move(read), problems, nullptr);
  problems.throw_if_any(ExitCode::kBadData);
  check(std::ranges::is_sorted(plan.file_order), ExitCode::kBadData,
        "expected a model whose layers stand in Keras's order, got another order");
  return std::make_unique<ModelLayer>(unbuilt_from_plan(plan, ExitCode::kBadData, nullptr));
}

}  // namespace

ModelLayer::ModelLayer(Network network) : network_(std::move(network)) {
  set_name(network_.name());
}

bool ModelLayer::passes_through() const {
  return std::ranges::all_of(network_.layers(),
                             [](const auto& layer) { return layer->passes_through(); });
}

Activation ModelLayer::final_activation() const {
  const Network::Call& last = network_.calls()[network_.outputs().front().call];
  return network_.layers()[last.layer]->final_activation();
}

std::vector<Activation> ModelLayer::activations() const {
  std::vector<Activation> all;
  for (const auto& layer : network_.layers())
    for (const Activation activation : layer->activations()) all.push_back(activation);
  return all;
}

ParameterList ModelLayer::parameters() {
  ParameterList all;
  for (const auto& layer : network_.layers()) all.add(layer->parameters());
  return all;
}

ordered_json ModelLayer::config() const {
  return config_for(KerasMajor::k2);
}

ordered_json ModelLayer::config_for(KerasMajor form) const {
  check(input_.has_value(), ExitCode::kUsage, "[{}] expected a use of it before its config",
        name());
  return inner_model_config(network_, *input_, form);
}

/// So that each of them draws random numbers of its own.
void ModelLayer::set_indices() {
  std::int64_t next = index();
  for (const auto& layer : network_.layers()) {
    check(next < kMostIndices, ExitCode::kBadData,
          "[{}] expected at most {} layers that compute, got more", name(), kMostIndices);
    layer->set_index(next);
    next += indices_of(*layer);
  }
}

void ModelLayer::name_parameters() {
  const std::vector<std::string> stores = keras3_stores(network_);
  for (std::size_t i = 0; i < stores.size(); ++i) {
    const Layer& layer = *network_.layers()[i];
    for (Parameter& parameter : layer.parameters()) {
      parameter.scope = layer.name() + (parameter.scope.empty() ? "" : "/" + parameter.scope);
      parameter.store = stores[i] + (parameter.store.empty() ? "" : "/" + parameter.store);
    }
  }
}

std::size_t ModelLayer::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const bool inference = graph.inference();
  if (uses() == 0) {
    input_ = graph.shape(inputs[0]);
    set_indices();
  }
  std::vector<std::vector<std::size_t>> values;
  const auto value_of = [&](const Network::Output& output) {
    return values[output.call][output.number];
  };
  for (Network::Call call : network_.calls()) {
    std::vector<std::size_t> read;
    for (const Network::Output& input : call.inputs) read.push_back(value_of(input));
    if (read.empty()) read.push_back(inputs[0]);
    call.inference = inference || call.inference;
    Layer& layer = *network_.layers()[call.layer];
    const std::size_t before = graph.values();
    values.push_back(make_call(graph, layer, call, std::move(read)));
    std::int64_t parameters = 0;
    check_size(layer, graph, before, false, parameters);
  }
  graph.set_inference(inference);
  graph.set_causal({});
  if (uses() == 0) {
    network_.know(graph, values);
    name_parameters();
  }
  return value_of(network_.outputs().front());
}

const ModelLayer* model_within(const Layer& layer) {
  const auto* const wrapper = dynamic_cast<const TimeDistributed*>(&layer);
  return wrapper ? dynamic_cast<const ModelLayer*>(&wrapper->layer()) : nullptr;
}

std::int64_t indices_of(const Layer& layer) {
  if (layer.passes_through()) return 0;
  const ModelLayer* const model = model_within(layer);
  if (!model) return 1;
  std::int64_t all = 0;
  for (const auto& its : model->network().layers()) all += indices_of(*its);
  return all;
}

std::unique_ptr<Layer> make_layer_of_network(const std::string& class_name, KerasConfig& config) {
  if (class_name != "TimeDistributed") return make_layer(class_name, config);
  const ordered_json* const inner = config.find("layer");
  if (inner == nullptr || !inner->is_object() || !inner->contains("class_name") ||
      !is_model_class((*inner)["class_name"]))
    return make_layer(class_name, config);
  auto layer = config.convert("layer", [&]() -> std::unique_ptr<Layer> {
    return std::make_unique<TimeDistributed>(read_model_layer(*inner, config.keras()));
  });
  return finished_layer(std::move(layer), class_name, config);
}

}  // namespace lockstep
