#include "src/model/functional_wiring.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "src/core/printable.hpp"
#include "src/model/keras_order.hpp"
#include "src/model/layer_calls.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// Uses the parts of a functional model as its config says.
class Wiring {
 public:
  Wiring(const FunctionalSource& source, ModelBlueprint& blueprint, Problems& problems)
      : list_(source.listed.list),
        source_(source),
        blueprint_(blueprint),
        problems_(problems),
        calls_(list_.size()),
        made_(list_.size()) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      calls_[i] = read_layer_calls(list_[i]);
      if (!indices_.emplace(blueprint.parts[i].name, i).second)
        object_to(i, "every layer to have a name of its own", "it twice");
    }
    make_inputs(read_ends(source.config.value("input_layers", ordered_json())));
    check_names();
    if (bad_) return;
    const std::vector<TensorName> outputs =
        read_ends(source.config.value("output_layers", ordered_json()));
    find_first_calls(outputs);
    check_calls();
    if (bad_) return;
    make_uses();
    if (!bad_) make_outputs(outputs);
    if (!bad_ && !source.in_order) order_uses();
  }

 private:
  using Tensor = ModelBlueprint::Tensor;

  bool is_input(std::size_t i) const {
    const auto& layer = blueprint_.parts[i].layer;
    return layer && source_.layers[*layer].class_name == "InputLayer";
  }

  void object_to(std::size_t i, const std::string& expected, const std::string& found) {
    bad_ = true;
    problems_.add(fmt::format("model JSON: {}[{}] ({})", source_.path, source_.listed.numbers[i],
                              printable(blueprint_.parts[i].name, 80)),
                  fmt::format("expected {}, got {}", expected, found));
  }
  void object(const std::string& expected, const std::string& found) {
    bad_ = true;
    problems_.add("model JSON: " + source_.path,
                  fmt::format("expected {}, got {}", expected, found));
  }

  /// The InputLayers in the order of `input_layers`, or as they are listed.
  void make_inputs(std::vector<TensorName> names) {
    if (names.empty())
      for (std::size_t i = 0; i < list_.size(); ++i)
        if (is_input(i)) names.push_back({blueprint_.parts[i].name});
    for (const TensorName& name : names) {
      const auto found = indices_.find(name.layer);
      if (found == indices_.end() || !is_input(found->second)) {
        object("InputLayers as input_layers", listed(names));
        continue;
      }
      if (source_.has_input) {
        made_[found->second] = {{{}, blueprint_.inputs++}};
        blueprint_.input_layers.push_back(blueprint_.parts[found->second].layer);
      } else {
        blueprint_.uses.push_back({found->second, {}});
        made_[found->second] = {{blueprint_.uses.size() - 1, 0}};
      }
    }
  }

  void check_names() {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      if (is_input(i) && made_[i].empty())
        object_to(i, "every InputLayer among input_layers", "it elsewhere");
      if (!is_input(i) && calls_[i].empty()) object_to(i, "an input of the layer", "none");
      for (const LayerCall& call : calls_[i]) {
        if (call.inputs.empty()) object_to(i, "an input of the layer", "none");
        for (const TensorName& input : call.inputs)
          if (!indices_.contains(input.layer))
            object_to(i, "the name of a layer as input", printable(input.layer, 80));
        if (!call.arguments.empty())
          object_to(i, "a layer that is called with its inputs alone",
                    fmt::format("{}", fmt::join(call.arguments, ", ")));
      }
    }
  }

  /// Calls of a model are mostly counted from 1: the first one made it.
  void find_first_calls(const std::vector<TensorName>& outputs) {
    first_call_.assign(list_.size(), 0);
    for (std::size_t i = 0; i < list_.size(); ++i)
      if (blueprint_.parts[i].model) first_call_[i] = 1;
    const auto look_at = [&](const TensorName& name) {
      const auto found = indices_.find(name.layer);
      if (found != indices_.end() && name.call == 0) first_call_[found->second] = 0;
    };
    for (const auto& calls : calls_)
      for (const LayerCall& call : calls) std::ranges::for_each(call.inputs, look_at);
    std::ranges::for_each(outputs, look_at);
  }

  bool exists(const TensorName& name) const {
    const std::size_t i = indices_.at(name.layer);
    const std::int64_t call = name.call - first_call_[i];
    const std::size_t calls = is_input(i) ? 1 : calls_[i].size();
    // How many outputs a layer has is known when it is made.
    const auto& model = blueprint_.parts[i].model;
    return call >= 0 && static_cast<std::size_t>(call) < calls && name.tensor >= 0 &&
           (!is_input(i) || name.tensor == 0) &&
           (!model || static_cast<std::size_t>(name.tensor) < model->outputs.size());
  }

  void check_calls() {
    for (std::size_t i = 0; i < list_.size(); ++i)
      for (const LayerCall& call : calls_[i])
        for (const TensorName& input : call.inputs)
          if (!exists(input))
            object_to(i, "an output of a listed call as input",
                      fmt::format("number {} of call {} of {}", input.tensor, input.call,
                                  printable(input.layer, 80)));
  }

  std::optional<Tensor> find(const TensorName& name) const {
    if (!exists(name)) return {};
    const std::size_t i = indices_.at(name.layer);
    const auto call = static_cast<std::size_t>(name.call - first_call_[i]);
    if (call >= made_[i].size()) return {};
    Tensor tensor = made_[i][call];
    if (tensor.use) tensor.output = static_cast<std::size_t>(name.tensor);
    return tensor;
  }

  /// A layer's calls in order, each when its inputs are there: as Keras does.
  bool make_next(std::size_t i) {
    const std::size_t next = made_[i].size();
    if (is_input(i) || next >= calls_[i].size()) return false;
    std::vector<Tensor> inputs;
    for (const TensorName& name : calls_[i][next].inputs) {
      const auto tensor = find(name);
      if (!tensor) return false;
      inputs.push_back(*tensor);
    }
    const LayerCall& call = calls_[i][next];
    blueprint_.uses.push_back({i, std::move(inputs), call.inference, call.causal, call.unmasked});
    made_[i].push_back({blueprint_.uses.size() - 1, 0});
    return true;
  }

  void make_uses() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < list_.size(); ++i)
        while (make_next(i)) moved = true;
    }
    for (std::size_t i = 0; i < list_.size(); ++i)
      if (waits(i)) return object_to_circle(i);
  }

  bool waits(std::size_t i) const { return !is_input(i) && made_[i].size() < calls_[i].size(); }

  /// Goes back from a layer that waits for its inputs until one comes a second time.
  void object_to_circle(std::size_t i) {
    std::vector<std::size_t> way;
    for (auto met = way.end(); met == way.end(); met = std::ranges::find(way, i)) {
      way.push_back(i);
      for (const TensorName& input : calls_[i][made_[i].size()].inputs) {
        if (find(input)) continue;
        i = indices_.at(input.layer);
        break;
      }
    }
    for (auto at = std::ranges::find(way, i); at != way.end(); ++at)
      object_to(*at, "inputs that do not depend on the layer itself",
                listed(calls_[*at][made_[*at].size()].inputs));
  }

  void make_outputs(const std::vector<TensorName>& names) {
    if (names.empty()) return object("output_layers", "none");
    for (const TensorName& name : names) {
      const auto tensor = indices_.contains(name.layer) ? find(name) : std::optional<Tensor>();
      if (!tensor) return object("layers of the model as output_layers", listed(names));
      blueprint_.outputs.push_back(*tensor);
    }
  }

  /// As Keras makes them, and not as they are listed: batch statistics change with each.
  void order_uses() {
    std::vector<Network::Call> calls;
    std::vector<Network::Output> outputs;
    for (const ModelBlueprint::Use& use : blueprint_.uses) {
      calls.push_back({use.part, {}});
      for (const Tensor& input : use.inputs)
        if (input.use) calls.back().inputs.emplace_back(*input.use);
    }
    for (const Tensor& output : blueprint_.outputs)
      if (output.use) outputs.emplace_back(*output.use);
    const std::vector<std::size_t> order =
        KerasOrder(blueprint_.parts.size(), calls, outputs).calls();
    std::vector<std::size_t> number(calls.size());
    for (std::size_t i = 0; i < order.size(); ++i) number[order[i]] = i;
    std::vector<ModelBlueprint::Use> uses;
    for (const std::size_t i : order) {
      uses.push_back(std::move(blueprint_.uses[i]));
      for (Tensor& input : uses.back().inputs)
        if (input.use) input.use = number[*input.use];
    }
    for (Tensor& output : blueprint_.outputs)
      if (output.use) output.use = number[*output.use];
    blueprint_.uses = std::move(uses);
  }

  const ordered_json& list_;
  const FunctionalSource& source_;
  ModelBlueprint& blueprint_;
  Problems& problems_;
  std::vector<std::vector<LayerCall>> calls_;  ///< by layer
  std::vector<std::vector<Tensor>> made_;      ///< by layer, the output of each use
  std::vector<std::int64_t> first_call_;       ///< by layer
  std::unordered_map<std::string, std::size_t> indices_;
  bool bad_ = false;
};

}  // namespace

void wire(const FunctionalSource& source, ModelBlueprint& blueprint, Problems& problems) {
  Wiring(source, blueprint, problems);
}

}  // namespace lockstep
