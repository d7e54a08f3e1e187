#include "src/model/transfer.hpp"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>
#include <span>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_from_plan.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Weights = TransferredLayer::Weights;

std::string name_of(const LayerSource& source) {
  return source.config.at("name").get<std::string>();
}

const Layer& layer_of(const Network& network, const std::string& name) {
  return **std::ranges::find(network.layers(), name, &Layer::name);
}

/// In the layers that it wraps, too.
void set_trainable(Json& config, bool trainable) {
  config["trainable"] = trainable;
  for (const char* const wrapped : {"layer", "backward_layer", "cell"})
    if (config.contains(wrapped) && config[wrapped].is_object())
      set_trainable(config[wrapped].at("config"), trainable);
  if (config.contains("cells"))
    for (Json& cell : config["cells"]) set_trainable(cell.at("config"), trainable);
}

void set_trainable(NetworkPlan& plan, std::size_t kept, const std::vector<std::string>& patterns,
                   bool trainable) {
  const std::span layers = std::span(plan.layers).first(kept);
  for (const std::string& pattern : patterns) {
    bool found = false;
    for (LayerSource& layer : layers) {
      if (fnmatch(pattern.c_str(), name_of(layer).c_str(), 0) != 0) continue;
      set_trainable(layer.config, trainable);
      found = true;
    }
    if (found) continue;
    const auto names = layers | std::views::transform(name_of);
    fail(ExitCode::kUsage, "[transfer] expected the name of a layer ({}), got '{}'",
         printable(fmt::format("{}", fmt::join(names, ", ")), 400), printable(pattern, 80));
  }
}

/// The last call of a layer with weights, from which a chain leads to the output.
std::size_t head_of(const NetworkPlan& plan, const Network& network) {
  std::vector<std::int64_t> readers(plan.calls.size(), 0), uses(plan.layers.size(), 0);
  for (const Network::Call& call : plan.calls) {
    ++uses[call.layer];
    for (const Network::Output& input : call.inputs) ++readers[input.call];
  }
  check(plan.outputs.size() == 1, ExitCode::kUsage,
        "[transfer] expected a network of one output, got {}", plan.outputs.size());
  const std::size_t last = plan.outputs.front().call;
  for (std::size_t at = last;; at = plan.calls[at].inputs.front().call) {
    const Network::Call& call = plan.calls[at];
    const std::string name = name_of(plan.layers[call.layer]);
    check(call.inputs.size() == 1 && uses[call.layer] == 1 && readers[at] == (at == last ? 0 : 1),
          ExitCode::kUsage,
          "[transfer] expected a chain of layers from the last one with weights to the output, to "
          "put another head there; got '{}', which has other inputs, or is used more than once",
          printable(name, 80));
    if (!layer_of(network, name).parameters().empty()) return at;
  }
}

/// Puts the layers behind what the old head read. All that is behind it is a chain, and so the end
/// of both lists. Returns how many of the layers stay.
std::size_t replace_head(NetworkPlan& plan, const Network& network, const std::string& text) {
  const std::size_t head = head_of(plan, network);
  Network::Output end = plan.calls[head].inputs.front();
  plan.layers.resize(plan.layers.size() - (plan.calls.size() - head));
  plan.calls.resize(head);
  const std::size_t kept = plan.layers.size();
  for (LayerSource& layer : layers_from_text(text)) {
    plan.layers.push_back(std::move(layer));
    plan.calls.push_back({plan.layers.size() - 1, {end}});
    end = Network::Output(plan.calls.size() - 1);
  }
  plan.outputs = {end};
  return kept;
}

TransferredLayer describe(const Layer& layer, Weights from) {
  std::int64_t weights = 0;
  for (const Parameter& parameter : layer.parameters()) weights += element_count(parameter.shape);
  const bool frozen = std::ranges::none_of(layer.parameters(), &Parameter::trained);
  return {layer.name(), layer.class_name(), weights, frozen, from};
}

/// The same in both networks: the config is.
void copy_weights(const Layer& from, Layer& to) {
  for (std::size_t i = 0; i < to.parameters().size(); ++i)
    std::ranges::copy(from.parameters()[i].value, to.parameters()[i].value.begin());
}

}  // namespace

TransferResult transfer(const Network& from, const Transfer& how, std::uint64_t seed) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  NetworkPlan plan = plan_from_json(model_to_json(from));
  const std::size_t kept =
      how.head.empty() ? plan.layers.size() : replace_head(plan, from, how.head);
  std::set<std::string> names;
  for (std::size_t i = 0; i < kept; ++i) names.insert(name_of(plan.layers[i]));
  set_trainable(plan, kept, how.freeze, false);
  set_trainable(plan, kept, how.unfreeze, true);
  TransferResult result{network_from_plan(std::move(plan), ExitCode::kUsage), {}};
  result.network.initialize(seed);
  for (const auto& layer : result.network.layers()) {
    if (layer->parameters().empty()) continue;
    const bool stays = names.contains(layer->name());
    if (stays) copy_weights(layer_of(from, layer->name()), *layer);
    result.layers.push_back(describe(*layer, stays ? Weights::kKept : Weights::kNew));
  }
  for (const auto& layer : from.layers())
    if (!names.contains(layer->name()) && !layer->parameters().empty())
      result.layers.push_back(describe(*layer, Weights::kLeftBehind));
  return result;
}

}  // namespace lockstep
