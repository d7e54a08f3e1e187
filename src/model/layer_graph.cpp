#include "src/model/layer_graph.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Names = std::vector<std::string>;

/// ["dense", 0, 0] or ["dense", 0, 0, {...}]: a layer's output, and what the call was given beside
/// it.
bool is_tensor(const ordered_json& json) {
  return json.is_array() && json.size() >= 3 && json[0].is_string() &&
         json[1].is_number_integer() && json[2].is_number_integer();
}

/// One call of a layer: what it was applied to, and the other arguments.
struct Call {
  Names inputs;
  Names arguments;
};

void read_arguments(const ordered_json& json, Call& call);

/// Keras 2's and 3's tensors, in lists of lists.
void read_inputs(const ordered_json& json, Call& call) {
  if (is_tensor(json)) {
    call.inputs.push_back(json[0].get<std::string>());
    if (json.size() > 3) read_arguments(json[3], call);
  } else if (json.is_object() && json.value("class_name", ordered_json()) == "__keras_tensor__") {
    const ordered_json config = json.value("config", ordered_json::object());
    const ordered_json history =
        config.is_object() ? config.value("keras_history", ordered_json()) : ordered_json();
    if (is_tensor(history)) call.inputs.push_back(history[0].get<std::string>());
  } else if (json.is_array()) {
    for (const ordered_json& element : json) read_inputs(element, call);
  } else if (!json.is_null()) {
    call.arguments.push_back(describe(json));
  }
}

/// Arguments by name: tensors are inputs; null and training=false say nothing.
void read_arguments(const ordered_json& json, Call& call) {
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || (key == "training" && value == false)) continue;
    const std::size_t before = call.inputs.size();
    Call inner;
    read_inputs(value, inner);
    call.inputs.insert(call.inputs.end(), inner.inputs.begin(), inner.inputs.end());
    if (call.inputs.size() == before) call.arguments.push_back(key + "=" + describe(value));
  }
}

Call read_call(const ordered_json& node) {
  Call call;
  if (node.is_object()) {  // Keras 3
    read_inputs(node.value("args", ordered_json()), call);
    read_arguments(node.value("kwargs", ordered_json()), call);
  } else {
    read_inputs(node, call);
  }
  return call;
}

std::string listed(const Names& names) {
  Names shown;
  for (const std::string& name : names) shown.push_back(printable(name, 80));
  return fmt::format("{}", fmt::join(shown, ", "));
}

class Graph {
 public:
  Graph(const ordered_json& config, const std::string& path, Problems& problems)
      : layers_(config["layers"]), path_(path), problems_(problems) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      names_.push_back(name_of(layers_[i]));
      if (!indices_.emplace(names_.back(), i).second)
        object_to(i, "every layer to have a name of its own", "it twice");
    }
    followers_.resize(layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) read_nodes(i);
    read_ends(config);
  }

  std::vector<std::size_t> order() {
    std::vector<std::size_t> listed_order(layers_.size());
    std::iota(listed_order.begin(), listed_order.end(), std::size_t{0});
    for (std::size_t i = 0; i < layers_.size(); ++i) check_followers(i);
    if (roots_.size() != 1 && bad_ == 0)
      add("", "expected one input of the network",
          fmt::format("{} ({})", roots_.size(), listed(names_of(roots_))));
    if (bad_ > 0) return listed_order;
    std::vector<std::size_t> chain = {roots_.front()};
    while (!followers_[chain.back()].empty() && chain.size() <= layers_.size())
      chain.push_back(followers_[chain.back()].front());
    if (chain.size() != layers_.size()) {
      add("", "expected all layers in one chain",
          fmt::format("{} of {} of them from {} on", chain.size(), layers_.size(),
                      printable(names_[chain[0]], 80)));
    } else if (!outputs_.empty() && outputs_ != Names{names_[chain.back()]}) {
      add("",
          fmt::format("expected the last layer ({}) as the one output",
                      printable(names_[chain.back()], 80)),
          listed(outputs_));
    }
    return bad_ > 0 ? listed_order : chain;
  }

 private:
  static std::string name_of(const ordered_json& layer) {
    if (!layer.is_object()) return "";
    if (layer.contains("name") && layer["name"].is_string()) return layer["name"];
    const ordered_json config = layer.value("config", ordered_json());
    if (config.is_object() && config.contains("name") && config["name"].is_string())
      return config["name"];
    return "";
  }

  Names names_of(const std::vector<std::size_t>& indices) const {
    Names names;
    for (const std::size_t i : indices) names.push_back(names_[i]);
    return names;
  }

  void add(const std::string& place, const std::string& expected, const std::string& found) {
    ++bad_;
    problems_.add("model JSON: " + path_ + place, fmt::format("{}, got {}", expected, found));
  }

  void object_to(std::size_t i, const std::string& expected, const std::string& found) {
    add(fmt::format("[{}] ({})", i, printable(names_[i], 80)), "expected " + expected, found);
  }

  void read_nodes(std::size_t i) {
    const ordered_json nodes =
        layers_[i].is_object() ? layers_[i].value("inbound_nodes", ordered_json()) : ordered_json();
    if (!nodes.is_array() || nodes.empty()) {
      roots_.push_back(i);
      return;
    }
    if (nodes.size() > 1)
      return object_to(i, "a layer that is used once (the network must be one chain)",
                       fmt::format("it used {} times", nodes.size()));
    const Call call = read_call(nodes[0]);
    if (call.inputs.size() != 1)
      return object_to(i, "a layer with one input (the network must be one chain)",
                       call.inputs.empty()
                           ? "none"
                           : fmt::format("{} ({})", call.inputs.size(), listed(call.inputs)));
    if (!call.arguments.empty())
      object_to(i, "a layer that is called with its input alone", listed(call.arguments));
    const auto source = indices_.find(call.inputs.front());
    if (source == indices_.end())
      return object_to(i, "the name of a layer as input", listed(call.inputs));
    followers_[source->second].push_back(i);
  }

  void read_ends(const ordered_json& config) {
    Call ends;
    read_inputs(config.value("output_layers", ordered_json()), ends);
    outputs_ = ends.inputs;
  }

  void check_followers(std::size_t i) {
    if (followers_[i].size() > 1)
      object_to(i, "one layer behind it (the network must be one chain)",
                fmt::format("{} ({})", followers_[i].size(), listed(names_of(followers_[i]))));
  }

  const ordered_json& layers_;
  std::string path_;
  Problems& problems_;
  int bad_ = 0;
  Names names_;
  std::unordered_map<std::string, std::size_t> indices_;
  std::vector<std::vector<std::size_t>> followers_;
  std::vector<std::size_t> roots_;
  Names outputs_;
};

}  // namespace

std::vector<std::size_t> order_of_chain(const ordered_json& config, const std::string& path,
                                        Problems& problems) {
  return Graph(config, path, problems).order();
}

}  // namespace lockstep
