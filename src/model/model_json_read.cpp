#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/model/layer_source.hpp"
#include "src/model/model_json.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxKeys = 1000;  // of one object: look-ups in ordered_json are linear
constexpr ExitCode kCode = ExitCode::kBadData;

/// "line 3, column 14" of a byte; columns are bytes from 1.
std::string position(const std::string& text, std::size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  const auto lines = std::count(text.begin(), end, '\n');
  const auto line = std::find(std::reverse_iterator(end), text.rend(), '\n').base();
  return fmt::format("line {}, column {}", lines + 1, end - line + 1);
}

void check_nesting(const std::string& text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string) {
      if (letter == '\\') ++i;
      if (letter == '"') in_string = false;
    } else if (letter == '"') {
      in_string = true;
    } else if (letter == '[' || letter == '{') {
      if (++depth > kMaxDepth)
        fail(kCode, "model JSON: {}: expected at most {} levels of nesting", position(text, i),
             kMaxDepth);
    } else if (letter == ']' || letter == '}') {
      --depth;
    }
  }
}

/// The same for JSON that did not come as text.
void check_nesting(const ordered_json& json, int depth) {
  check(depth <= kMaxDepth, kCode, "model JSON: expected at most {} levels of nesting", kMaxDepth);
  for (const ordered_json& element : json)
    if (element.is_structured()) check_nesting(element, depth + 1);
}

/// Refuses a key that stands twice in one object: JSON libraries would drop one of the values.
class UniqueKeys {
 public:
  bool operator()(int, ordered_json::parse_event_t event, ordered_json& parsed) {
    if (event == ordered_json::parse_event_t::object_start) objects_.emplace_back();
    if (event == ordered_json::parse_event_t::object_end) objects_.pop_back();
    if (event == ordered_json::parse_event_t::key) add(parsed.get<std::string>());
    return true;
  }

 private:
  void add(const std::string& key) {
    std::vector<std::string>& keys = objects_.back();
    check(std::ranges::find(keys, key) == keys.end(), kCode,
          "model JSON: expected every key of an object once, got '{}' twice", printable(key, 80));
    keys.push_back(key);
    check(keys.size() <= kMaxKeys, kCode, "model JSON: expected at most {} keys in an object",
          kMaxKeys);
  }

  std::vector<std::vector<std::string>> objects_;
};

ordered_json parse(const std::string& text) {
  check_nesting(text);
  try {
    return ordered_json::parse(text, UniqueKeys());
  } catch (const ordered_json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..."
    const std::string what = without_where(error);
    const std::size_t reason = what.find(": ");
    const std::size_t byte = error.byte > 0 ? error.byte - 1 : 0;
    fail(kCode, "model JSON: {}: {}", position(text, byte),
         reason == std::string::npos ? what : what.substr(reason + 2));
  } catch (const ordered_json::exception& error) {
    fail(kCode, "model JSON: {}", without_where(error));
  }
}

LayerConfig::Locate below(const std::string& path) {
  return [path](const std::string& key) {
    std::string place = "model JSON";
    if (!path.empty()) place += ": " + path;
    if (!key.empty()) place += (path.empty() ? ": " : ".") + key;
    return place;
  };
}

/// The places in the config of layers[i]: "model JSON: config.layers[2] (dense_1): units".
LayerConfig::Locate in_layer(const std::string& path, const ordered_json& config) {
  std::string place = path;
  if (config.is_object() && config.contains("name") && config["name"].is_string())
    place += " (" + printable(config["name"].get_ref<const std::string&>(), 80) + ")";
  return [place](const std::string& key) {
    return "model JSON: " + place + (key.empty() ? "" : ": " + key);
  };
}

/// A layer of somebody's own that has the name of one of Keras's is still not Keras's.
void expect_keras_class(LayerConfig& object, const std::string& class_name) {
  if (const ordered_json* name = object.find("registered_name"); name && *name != class_name)
    object.refuse("registered_name", "null, a layer of Keras itself", describe(*name));
  const ordered_json* module = object.find("module");
  if (!module) return;
  const std::string name = module->is_string() ? module->get<std::string>() : "";
  if (!name.starts_with("keras") && !name.starts_with("tf_keras") &&
      !name.starts_with("tensorflow"))
    object.refuse("module", "a module of Keras", describe(*module));
}

LayerSource read_layer(const ordered_json& json, const std::string& path) {
  LayerConfig object(json, below(path), kCode);
  const std::string class_name = object.name("class_name", "");
  if (class_name.empty()) object.refuse("class_name", "the name of a layer", "nothing");
  expect_keras_class(object, class_name);
  const ordered_json* config = object.find("config");
  if (!config) object.refuse("config", "an object", "nothing");
  object.ignore({"build_config", "name", "shared_object_id"});
  object.finish();
  return {class_name, *config, in_layer(path, *config)};
}

std::vector<LayerSource> read_layers(const ordered_json& list, const std::string& path) {
  check(list.is_array() && !list.empty(), kCode,
        "model JSON: {}: expected a list of layers, got {}", path, describe(list));
  check(list.size() <= kMaxLayers, kCode, "model JSON: {}: expected at most {} layers, got {}",
        path, kMaxLayers, list.size());
  std::vector<LayerSource> layers;
  for (std::size_t i = 0; i < list.size(); ++i)
    layers.push_back(read_layer(list[i], fmt::format("{}[{}]", path, i)));
  return layers;
}

Sequential read_sequential(const ordered_json& json, std::optional<Shape> built_for) {
  if (json.is_array())  // before Keras 2.3 the config was the list of layers
    return model_from_sources("sequential", read_layers(json, "config"), built_for, kCode);
  LayerConfig config(json, below("config"), kCode);
  const ordered_json* layers = config.find("layers");
  if (!layers) config.refuse("layers", "a list of layers", "nothing");
  std::vector<LayerSource> sources = read_layers(*layers, "config.layers");
  if (!config.boolean("trainable", true)) {  // a frozen model freezes all its layers
    for (LayerSource& source : sources)
      if (source.config.is_object()) source.config["trainable"] = false;
  }
  if (auto shape = config.batch_shape("build_input_shape")) built_for = std::move(shape);
  const std::string name = config.name("name", "sequential");
  config.expect_float32();
  config.finish();
  return model_from_sources(name, sources, built_for, kCode);
}

std::optional<Shape> read_build_config(LayerConfig& model) {
  const ordered_json* json = model.find("build_config");
  if (!json) return {};
  LayerConfig build_config(*json, below("build_config"), kCode);
  return build_config.batch_shape("input_shape");
}

}  // namespace

Sequential model_from_json(const ordered_json& json) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check_nesting(json, 1);
  LayerConfig model(json, below(""), kCode);
  const std::string class_name = model.name("class_name", "nothing");
  if (class_name != "Sequential") model.refuse("class_name", "'Sequential'", printable(class_name));
  const ordered_json* config = model.find("config");
  if (!config) model.refuse("config", "an object", "nothing");
  const std::optional<Shape> built_for = read_build_config(model);
  // How it was trained is compile_from_json()'s business.
  model.ignore({"compile_config", "training_config", "module", "registered_name", "keras_version",
                "backend", "date_saved"});
  model.finish();
  return read_sequential(*config, built_for);
}

Sequential model_from_json_text(const std::string& text) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return model_from_json(parse(text));
}

}  // namespace lockstep
