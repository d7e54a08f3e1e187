#include "src/model/call_masks.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// Where a mask begins: a tensor, as text, and the number that is masked in it.
using Origins = std::set<std::pair<std::string, double>>;

constexpr std::array kOfMasks = {
    "Any",     "All",         "LogicalOr",       "LogicalAnd", "LogicalNot", "ExpandDims",
    "Squeeze", "Concatenate", "ConvertToTensor", "Cast",       "BroadcastTo"};
constexpr std::array kFilled = {"ZerosLike", "OnesLike"};  // where one of several has no mask

const ordered_json& at(const ordered_json& object, const char* key) {
  static const ordered_json kNothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : kNothing;
}

std::string text(const ordered_json& json) {
  return json.is_string() ? json.get<std::string>() : "";
}

/// ["lstm", 0, 0] of a tensor of Keras 3.
const ordered_json& history(const ordered_json& json) {
  static const ordered_json kNothing;
  if (at(json, "class_name") != "__keras_tensor__") return kNothing;
  const ordered_json& keras_history = at(at(json, "config"), "keras_history");
  return keras_history.is_array() && !keras_history.empty() ? keras_history : kNothing;
}

void collect(const ordered_json& json, std::vector<ordered_json>& tensors) {
  if (const ordered_json& found = history(json); !found.is_null()) return tensors.push_back(found);
  if (json.is_structured())
    for (const ordered_json& element : json) collect(element, tensors);
}

class Masks {
 public:
  explicit Masks(const ordered_json& layers) : layers_(layers) {
    for (std::size_t i = 0; i < layers.size(); ++i) numbers_[text(at(layers[i], "name"))] = i;
    operation_.assign(layers.size(), false);
  }

  NumberedLayers read() {
    find_operations();
    NumberedLayers kept{ordered_json::array(), {}};
    std::vector<ordered_json> all(layers_.begin(), layers_.end());
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!operation_[i]) drop_masks(all[i]);
    const std::vector<bool> used = used_operations(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (operation_[i] && !used[i]) continue;
      kept.list.push_back(std::move(all[i]));
      kept.numbers.push_back(i);
    }
    return kept;
  }

 private:
  static std::vector<ordered_json> inputs(const ordered_json& layer) {
    std::vector<ordered_json> tensors;
    collect(at(layer, "inbound_nodes"), tensors);
    return tensors;
  }
  /// The number of a tensor's layer, or of none.
  std::size_t maker(const ordered_json& tensor) const {
    const auto found = numbers_.find(text(tensor[0]));
    return found == numbers_.end() ? layers_.size() : found->second;
  }
  bool is_operation(const ordered_json& tensor) const {
    const std::size_t i = maker(tensor);
    return i < layers_.size() && operation_[i];
  }

  bool begins(const ordered_json& layer) const {
    if (at(layer, "class_name") != "NotEqual") return false;
    const ordered_json& nodes = at(layer, "inbound_nodes");
    if (!nodes.is_array() || nodes.size() != 1) return false;
    const ordered_json& arguments = at(nodes[0], "args");
    return arguments.is_array() && arguments.size() == 2 && !history(arguments[0]).is_null() &&
           arguments[1].is_number();
  }
  template <class Names>
  static bool is_one_of(const ordered_json& layer, const Names& names) {
    return std::ranges::any_of(names,
                               [&](const char* name) { return at(layer, "class_name") == name; });
  }
  bool goes_on(const ordered_json& layer) const {
    if (!is_one_of(layer, kOfMasks)) return false;
    const std::vector<ordered_json> tensors = inputs(layer);
    const auto filled = [&](const ordered_json& tensor) {
      const std::size_t i = maker(tensor);
      return i < layers_.size() && is_one_of(layers_[i], kFilled);
    };
    return std::ranges::all_of(
               tensors,
               [&](const auto& tensor) { return is_operation(tensor) || filled(tensor); }) &&
           std::ranges::any_of(tensors, [&](const auto& t) { return is_operation(t); });
  }

  void find_operations() {
    for (bool more = true; more;) {
      more = false;
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        if (operation_[i] || !(begins(layers_[i]) || goes_on(layers_[i]))) continue;
        operation_[i] = more = true;
      }
    }
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (is_one_of(layers_[i], kFilled)) operation_[i] = true;
  }

  void add_mask_origins(const ordered_json& tensor, Origins& origins) const {
    const std::size_t i = maker(tensor);
    if (i >= layers_.size() || is_one_of(layers_[i], kFilled)) return;
    if (begins(layers_[i])) {
      const ordered_json& arguments = layers_[i]["inbound_nodes"][0]["args"];
      origins.insert({history(arguments[0]).dump(), arguments[1].get<double>()});
      return;
    }
    for (const ordered_json& input : inputs(layers_[i])) add_mask_origins(input, origins);
  }

  /// Where the masks begin that may have come along with a tensor.
  void add_origins(const ordered_json& tensor, Origins& origins,
                   std::set<std::size_t>& seen) const {
    const std::size_t i = maker(tensor);
    if (i >= layers_.size() || operation_[i] || !seen.insert(i).second) return;
    const ordered_json& config = at(layers_[i], "config");
    const bool embeds =
        at(layers_[i], "class_name") == "Embedding" && at(config, "mask_zero") == true;
    const bool masks = at(layers_[i], "class_name") == "Masking";
    for (const ordered_json& input : inputs(layers_[i])) {
      if (embeds)
        origins.insert({input.dump(), 0.0});
      else if (masks && at(config, "mask_value").is_number())
        origins.insert({input.dump(), at(config, "mask_value").get<double>()});
      else
        add_origins(input, origins, seen);
    }
  }

  void drop_masks(ordered_json& layer) const {
    if (!at(layer, "inbound_nodes").is_array()) return;
    for (ordered_json& node : layer["inbound_nodes"]) {
      if (!at(node, "kwargs").is_object()) continue;
      const ordered_json tensor = history(at(node["kwargs"], "mask"));
      if (tensor.is_null() || !is_operation(tensor)) continue;
      Origins of_mask, of_inputs;
      add_mask_origins(tensor, of_mask);
      std::vector<ordered_json> tensors;
      collect(at(node, "args"), tensors);
      std::set<std::size_t> seen;
      for (const ordered_json& input : tensors) add_origins(input, of_inputs, seen);
      if (of_mask == of_inputs) node["kwargs"].erase("mask");
    }
  }

  /// Those that something reads that stays.
  std::vector<bool> used_operations(const std::vector<ordered_json>& all) const {
    std::vector<bool> used(all.size(), false);
    const std::function<void(const ordered_json&)> use = [&](const ordered_json& layer) {
      for (const ordered_json& tensor : inputs(layer)) {
        const std::size_t i = maker(tensor);
        if (i >= all.size() || !operation_[i] || used[i]) continue;
        used[i] = true;
        use(all[i]);
      }
    };
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!operation_[i]) use(all[i]);
    return used;
  }

  const ordered_json& layers_;
  std::map<std::string, std::size_t> numbers_;
  std::vector<bool> operation_;  ///< on masks
};

}  // namespace

NumberedLayers without_call_masks(const ordered_json& layers) {
  return Masks(layers).read();
}

}  // namespace lockstep
