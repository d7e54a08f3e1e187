#include "src/layers/older_words.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

struct Word {
  std::string_view old_word;
  std::string_view word;
};

constexpr Word kClasses[] = {
    {"Convolution1D", "Conv1D"},
    {"Convolution2D", "Conv2D"},
    {"Convolution3D", "Conv3D"},
    {"AtrousConvolution1D", "Conv1D"},
    {"AtrousConvolution2D", "Conv2D"},
    {"AtrousConv1D", "Conv1D"},
    {"AtrousConv2D", "Conv2D"},
    {"Deconvolution2D", "Conv2DTranspose"},
    {"SeparableConvolution2D", "SeparableConv2D"},
    {"TimeDistributedDense", "Dense"},  // of each step, as a Dense is anyway
    {"CuDNNLSTM", "LSTM"},
    {"CuDNNGRU", "GRU"},
    {"ThresholdedReLU", "ReLU"},
};

constexpr Word kKeys[] = {
    {"output_dim", "units"},
    {"nb_filter", "filters"},
    {"filter_length", "kernel_size"},
    {"subsample", "strides"},
    {"subsample_length", "strides"},
    {"atrous_rate", "dilation_rate"},
    {"border_mode", "padding"},
    {"dim_ordering", "data_format"},
    {"pool_length", "pool_size"},
    {"stride", "strides"},
    {"length", "size"},
    {"bias", "use_bias"},
    {"init", "kernel_initializer"},
    {"inner_init", "recurrent_initializer"},
    {"gamma_init", "gamma_initializer"},
    {"beta_init", "beta_initializer"},
    {"inner_activation", "recurrent_activation"},
    {"dropout_W", "dropout"},
    {"dropout_U", "recurrent_dropout"},
    {"W_regularizer", "kernel_regularizer"},
    {"U_regularizer", "recurrent_regularizer"},
    {"b_regularizer", "bias_regularizer"},
    {"W_constraint", "kernel_constraint"},
    {"b_constraint", "bias_constraint"},
    {"p", "rate"},
    {"sigma", "stddev"},
    {"theta", "threshold"},
};

constexpr std::array kMovesPixels = {"ZeroPadding2D", "ZeroPadding3D", "Cropping2D",
                                     "Cropping3D",    "UpSampling2D",  "UpSampling3D"};

/// `words` has the old word.
template <class Words>
std::string_view newer(const Words& words, std::string_view old_word) {
  const auto found = std::ranges::find(words, old_word, &Word::old_word);
  return found == std::end(words) ? std::string_view() : found->word;
}

/// {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01} as {"class_name", "config"}.
ordered_json newer_object(std::string_view key, const ordered_json& json) {
  const bool regularizer = key.ends_with("_regularizer");
  if (!json.is_object() || json.contains("class_name") || !json.contains("name") ||
      !(regularizer || key.ends_with("_constraint")))
    return json;
  ordered_json config = json;
  config.erase("name");
  if (config.contains("m")) {  // MaxNorm's
    config["max_value"] = config["m"];
    config.erase("m");
  }
  return {{"class_name", regularizer ? ordered_json("L1L2") : json["name"]},
          {"config", std::move(config)}};
}

ordered_json newer_value(std::string_view key, const ordered_json& value) {
  if (key == "data_format" && value == "tf") return "channels_last";
  if (key == "data_format" && value == "th") return "channels_first";
  if (key == "data_format" && value == "default") return nullptr;
  return newer_object(key, value);
}

/// What an Embedding, a PReLU and a SeparableConv2D call their `init` and `W_...`.
std::string key_of_class(std::string_view class_name, std::string_view key) {
  const bool of_kernel = key.starts_with("kernel_") && key != "kernel_size";
  const std::string_view rest = of_kernel ? key.substr(key.find('_')) : "";
  if (of_kernel && class_name == "Embedding") return "embeddings" + std::string(rest);
  if (of_kernel && class_name == "PReLU") return "alpha" + std::string(rest);
  if (of_kernel && class_name == "SeparableConv2D") return "depthwise" + std::string(rest);
  return std::string(key);
}

void rename_keys(const std::string& class_name, ordered_json& config) {
  ordered_json renamed = ordered_json::object();
  for (const auto& [key, value] : config.items()) {
    const bool is_size = key == "output_dim" && class_name == "Embedding";
    const std::string_view word = is_size ? "" : newer(kKeys, key);
    const std::string name = word.empty() ? key : key_of_class(class_name, word);
    if (name == key || !config.contains(name))
      renamed[name] = newer_value(name, value);
    else
      renamed[key] = value;  // both, which is refused
  }
  if (class_name == "SeparableConv2D" && config.contains("init"))
    renamed["pointwise_initializer"] = config["init"];
  config = std::move(renamed);
}

/// The keys become one list.
void gather(ordered_json& config, std::initializer_list<const char*> keys, const char* into) {
  if (!std::ranges::all_of(keys, [&](const char* key) { return config.contains(key); })) return;
  ordered_json list = ordered_json::array();
  for (const char* const key : keys) {
    list.push_back(config[key]);
    config.erase(key);
  }
  config[into] = std::move(list);
}

/// {"left_pad": 1, "right_pad": 2} as [1, 2], and two such pairs as [[1, 2], [3, 4]].
void rewrite_padding(ordered_json& config) {
  const auto found = config.find("padding");
  if (found == config.end()) return;
  ordered_json& padding = *found;
  if (padding.is_object() && !padding.empty()) {
    const auto margin = [&](const char* side) { return padding.value(side, ordered_json(0)); };
    const ordered_json columns = {margin("left_pad"), margin("right_pad")};
    const bool rows = padding.contains("top_pad") || padding.contains("bottom_pad");
    padding = rows ? ordered_json{{margin("top_pad"), margin("bottom_pad")}, columns} : columns;
  } else if (padding.is_array() && padding.size() == 4) {
    padding = {{padding[0], padding[1]}, {padding[2], padding[3]}};
  }
}

/// input_dim and, of sequences, input_length.
void rewrite_input(const std::string& class_name, ordered_json& config) {
  config.erase("input_dtype");
  if (class_name == "Embedding" || !config.contains("input_dim")) return;
  ordered_json shape = {nullptr};
  if (config.contains("input_length")) shape.push_back(config["input_length"]);
  shape.push_back(config["input_dim"]);
  config.erase("input_dim");
  config.erase("input_length");
  if (!shape.back().is_null() && !config.contains("batch_input_shape"))
    config["batch_input_shape"] = std::move(shape);
}

/// Keras 1's layer for every kind of merging. That of several Sequentials, and a function of
/// somebody's own, stay a Merge, which there is not.
void rewrite_merge(std::string& class_name, ordered_json& config) {
  static constexpr Word kModes[] = {
      {"sum", "Add"},     {"mul", "Multiply"},       {"ave", "Average"},
      {"max", "Maximum"}, {"concat", "Concatenate"}, {"dot", "Dot"}};
  const ordered_json mode = config.value("mode", ordered_json());
  const std::string_view merged =
      mode.is_string() ? newer(kModes, mode.get_ref<const std::string&>()) : std::string_view();
  if (merged.empty() || config.contains("layers") ||
      config.value("mode_type", ordered_json("raw")) != "raw")
    return;
  ordered_json newer_config = ordered_json::object();
  for (const char* const key : {"name", "trainable", "batch_input_shape"})
    if (config.contains(key)) newer_config[key] = config[key];
  if (merged == "Concatenate") newer_config["axis"] = config.value("concat_axis", ordered_json(-1));
  if (merged == "Dot") newer_config["axes"] = config.value("dot_axes", ordered_json(-1));
  class_name = merged;
  config = std::move(newer_config);
}

/// The settings that the class itself stood for.
void spell_out(const std::string& old_class, ordered_json& config) {
  if (!old_class.starts_with("CuDNN")) return;
  config["activation"] = "tanh";
  config["recurrent_activation"] = "sigmoid";
  if (old_class == "CuDNNGRU") config["reset_after"] = true;
}

void rewrite_recurrent(const std::string& class_name, ordered_json& config) {
  // Before Keras 2.1.3 there was no reset_after, and one of these keys in every config.
  if (class_name.starts_with("GRU") && !config.contains("reset_after") &&
      (config.contains("consume_less") || config.contains("implementation")))
    config["reset_after"] = false;
  config.erase("consume_less");  // which way to the same numbers
  const auto bias = config.find("forget_bias_init");
  if (bias == config.end()) return;
  config["unit_forget_bias"] = *bias == "one";
  config.erase("forget_bias_init");
}

}  // namespace

bool says_channels_first(const ordered_json& model) {
  if (!model.is_structured()) return false;
  if (model.is_object() && model.value("dim_ordering", ordered_json()) == "th") return true;
  return std::ranges::any_of(model, says_channels_first);
}

void use_newer_words(std::string& class_name, ordered_json& config, bool channels_first) {
  if (!config.is_object()) return;
  const std::string old_class = class_name;
  if (class_name == "Merge") rewrite_merge(class_name, config);
  if (const std::string_view word = newer(kClasses, class_name); !word.empty()) class_name = word;
  rename_keys(class_name, config);
  gather(config, {"nb_row", "nb_col"}, "kernel_size");
  gather(config, {"kernel_dim1", "kernel_dim2", "kernel_dim3"}, "kernel_size");
  if (class_name.starts_with("ZeroPadding")) rewrite_padding(config);
  rewrite_input(class_name, config);
  rewrite_recurrent(class_name, config);
  spell_out(old_class, config);
  if (old_class == "Deconvolution2D") config.erase("output_shape");  // the other settings say it
  if (class_name == "BatchNormalization" && config.value("mode", ordered_json()) == 0)
    config.erase("mode");
  if (channels_first && !config.contains("data_format") &&
      std::ranges::find(kMovesPixels, class_name) != kMovesPixels.end())
    config["data_format"] = "channels_first";
  for (const char* const wrapped : {"layer", "backward_layer", "cell"}) {
    const auto inner = config.find(wrapped);
    if (inner == config.end() || !inner->is_object() || !inner->contains("config") ||
        !inner->value("class_name", ordered_json()).is_string())
      continue;
    std::string inner_class = (*inner)["class_name"];
    use_newer_words(inner_class, (*inner)["config"], channels_first);
    (*inner)["class_name"] = inner_class;
  }
}

}  // namespace lockstep
