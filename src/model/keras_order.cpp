#include "src/model/keras_order.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "src/core/keras_names.hpp"

namespace lockstep {

KerasOrder::KerasOrder(std::size_t layers, const std::vector<Network::Call>& calls,
                       const std::vector<Network::Output>& outputs)
    : calls_(calls),
      met_(layers, kNever),
      depth_of_layer_(layers, 0),
      finished_(calls.size(), false),
      depth_(calls.size(), kNever) {
  for (const Network::Output& output : outputs) visit(output.call);
  // A call's depth is never less than its layer's so far: the order in which they are met counts.
  for (auto call = ordered_.rbegin(); call != ordered_.rend(); ++call) {
    meet(*call);
    std::size_t& of_layer = depth_of_layer_[calls[*call].layer];
    of_layer = depth_[*call] = std::max(depth_[*call], of_layer);
    for (const auto& [input, number] : calls[*call].inputs) {
      meet(input);
      depth_[input] = std::max(depth_[input], depth_[*call] + 1);
    }
  }
  std::ranges::stable_sort(run_,
                           [this](std::size_t a, std::size_t b) { return depth_[a] > depth_[b]; });
}

void KerasOrder::meet(std::size_t call) {
  if (depth_[call] != kNever) return;
  depth_[call] = 0;
  run_.push_back(call);
}

/// Depth first without recursion: a network may be deep.
void KerasOrder::visit(std::size_t output) {
  std::vector<std::pair<std::size_t, std::size_t>> way;  // call, inputs that are done
  const auto enter = [&](std::size_t call) {
    if (finished_[call]) return;
    if (met_[calls_[call].layer] == kNever) met_[calls_[call].layer] = layers_met_++;
    way.push_back({call, 0});
  };
  enter(output);
  while (!way.empty()) {
    auto& [call, done] = way.back();
    if (done < calls_[call].inputs.size()) {
      enter(calls_[call].inputs[done++].call);
      continue;
    }
    if (!finished_[call]) ordered_.push_back(call);
    finished_[call] = true;
    way.pop_back();
  }
}

std::vector<std::size_t> KerasOrder::layers() const {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < met_.size(); ++layer)
    if (met_[layer] != kNever) layers.push_back(layer);
  std::ranges::sort(layers, [this](std::size_t a, std::size_t b) {
    return std::pair(depth_of_layer_[b], met_[a]) < std::pair(depth_of_layer_[a], met_[b]);
  });
  return layers;
}

std::vector<std::size_t> KerasOrder::calls() const {
  return run_;
}

std::vector<std::size_t> keras_layer_order(const Network& model) {
  if (!model.is_chain())
    return KerasOrder(model.layers().size(), model.calls(), model.outputs()).layers();
  std::vector<std::size_t> order(model.layers().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

std::vector<std::string> keras3_stores(const Network& model) {
  std::vector<std::string> stores(model.layers().size());
  NameCounter counter;
  for (const std::size_t layer : keras_layer_order(model))
    stores[layer] = "layers/" + counter.next(keras_snake_case(model.layers()[layer]->class_name()));
  return stores;
}

std::vector<std::size_t> settled_order(std::size_t layers,
                                       const std::vector<Network::Call>& calls) {
  std::vector<std::vector<std::size_t>> of_layer(layers);
  for (std::size_t i = 0; i < calls.size(); ++i) of_layer[calls[i].layer].push_back(i);
  std::vector<std::size_t> next(layers, 0), order;
  std::vector<bool> made(calls.size(), false);
  while (order.size() < calls.size()) {
    for (std::size_t layer = 0; layer < layers; ++layer) {
      for (; next[layer] < of_layer[layer].size(); ++next[layer]) {
        const std::size_t call = of_layer[layer][next[layer]];
        if (!std::ranges::all_of(calls[call].inputs, [&](const auto& i) { return made[i.call]; }))
          break;
        made[call] = true;
        order.push_back(call);
      }
    }
  }
  return order;
}

}  // namespace lockstep
