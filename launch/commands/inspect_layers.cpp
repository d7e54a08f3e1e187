#include "launch/commands/inspect_layers.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/core/shape.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxListed = 10000;

std::string text_of(const ordered_json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

class Lister {
 public:
  explicit Lister(const hdf5::File* weights) : weights_(weights) {
    if (weights_ != nullptr) paths_ = weights_->datasets();
  }

  void list(const ordered_json& model, const std::string& prefix, const std::string& store);
  ordered_json layers = ordered_json::array();

 private:
  void add(const ordered_json& layer, const std::string& prefix, const std::string& store);
  std::int64_t parameters_below(const std::string& group) const;

  const hdf5::File* weights_;
  std::vector<std::string> paths_;
};

std::int64_t Lister::parameters_below(const std::string& group) const {
  std::int64_t count = 0;
  for (const std::string& path : paths_) {
    if (!path.starts_with(group) || path.find("/seed_generator/") != std::string::npos) continue;
    try {
      count += element_count(weights_->dataset_info(path).extents);
    } catch (const Error&) {  // what cannot be read is reported elsewhere
    }
  }
  return count;
}

void Lister::add(const ordered_json& layer, const std::string& prefix, const std::string& store) {
  const ordered_json config =
      layer.is_object() ? layer.value("config", ordered_json()) : ordered_json();
  std::string name = text_of(config, "name");
  if (name.empty()) name = text_of(layer, "name");
  const std::string class_name = text_of(layer, "class_name");
  ordered_json entry = {{"name", prefix + name}, {"class", class_name}};
  if (weights_ != nullptr) {
    const bool keras3 = !weights_->exists("/model_weights");
    if (keras3 || prefix.empty())
      entry["parameters"] =
          parameters_below(keras3 ? "/" + store + "/" : "/model_weights/" + name + "/");
  }
  layers.push_back(std::move(entry));
  list(layer, prefix + name + "/", store + "/");
}

void Lister::list(const ordered_json& model, const std::string& prefix, const std::string& store) {
  const ordered_json config =
      model.is_object() ? model.value("config", ordered_json()) : ordered_json();
  const ordered_json list = config.is_object() ? config.value("layers", ordered_json()) : config;
  if (!list.is_array()) return;
  NameCounter stores;
  for (const ordered_json& layer : list) {
    if (!layer.is_object() || layers.size() >= kMaxListed) return;
    add(layer, prefix,
        store + "layers/" + stores.next(keras_snake_case(text_of(layer, "class_name"))));
  }
}

}  // namespace

ordered_json list_layers(const ordered_json& model, const hdf5::File* weights) {
  Lister lister(weights);
  lister.list(model, "", "");
  return lister.layers;
}

}  // namespace lockstep
