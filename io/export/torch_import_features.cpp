#include "io/export/torch_import_features.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <optional>

#include "src/core/printable.hpp"
#include "src/layers/time_distributed.hpp"

namespace lockstep {
namespace {

/// Where each feature stands in PyTorch's order; empty: at the same place.
using Features = std::vector<std::int64_t>;

/// How PyTorch has the numbers of an output.
struct Layout {
  /// Channels come behind so many axes, and in front of all others; none: axes are as they are.
  std::optional<std::size_t> channels_behind;
  Features features;  ///< of the last axis
};

bool has_any(const std::string& name, std::initializer_list<const char*> words) {
  return std::ranges::any_of(words, [&](const char* word) { return name.find(word) != name.npos; });
}

/// PyTorch's has channels in front.
bool has_positions(const std::string& name) {
  return has_any(name, {"Conv", "Pooling", "Padding", "Cropping", "UpSampling"});
}

/// Each step, or each group of features, by itself or with others: not every number alike.
bool is_sequential(const std::string& name) {
  return has_any(name, {"LSTM", "GRU", "RNN", "Bidirectional", "Attention", "Transformer",
                        "Embedding", "Position", "Dot", "Permute", "RepeatVector"});
}

/// `images`: channels last, behind `steps` axes, to be flattened from there on.
Features flattened(const Shape& images, std::size_t steps) {
  const std::int64_t channels = images.back();
  const std::int64_t before =
      element_count({images.begin(), images.begin() + std::ptrdiff_t(steps)});
  const std::int64_t positions =
      element_count(images) / std::max<std::int64_t>(1, before * channels);
  if (channels == 1 || positions == 1) return {};
  Features features;
  for (std::int64_t step = 0; step < before; ++step)
    for (std::int64_t position = 0; position < positions; ++position)
      for (std::int64_t channel = 0; channel < channels; ++channel)
        features.push_back((step * channels + channel) * positions + position);
  return features;
}

/// From PyTorch's order. `rows`: of the parameter's first axis; else of its last one.
void reorder(const Parameter& parameter, const Features& features, bool rows) {
  if (features.empty()) return;
  const std::vector<float> before(parameter.value.begin(), parameter.value.end());
  const std::size_t n = features.size(), others = before.size() / n;
  for (std::size_t i = 0; i < n; ++i) {
    const auto from = static_cast<std::size_t>(features[i]);
    for (std::size_t k = 0; k < others; ++k) {
      if (rows)
        parameter.value[i * others + k] = before[from * others + k];
      else
        parameter.value[k * n + i] = before[k * n + from];
    }
  }
}

class FeatureOrders {
 public:
  explicit FeatureOrders(const Network& model)
      : model_(model),
        channels_first_(std::ranges::any_of(
            model.layers(), [](const auto& layer) { return layer->channels_first(); })),
        layouts_(model.calls().size()),
        wanted_(model.calls().size()) {}

  std::vector<std::string> apply() {
    for (std::size_t call = 0; call < layouts_.size(); ++call) want(call);
    for (std::size_t call = 0; call < layouts_.size(); ++call) {
      const Layout x = input_of(call);
      layouts_[call] = output_of(call, x);
      if (layer_of(call).parameters().empty()) continue;
      const Features& y = layouts_[call].features;
      const auto [known, is_new] = uses_.try_emplace(&layer_of(call), x.features, y);
      if (!is_new && known->second != std::pair(x.features, y))
        refuse(call, "the same order of features at each use");
    }
    for (std::size_t call = 0; call < layouts_.size(); ++call)
      if (const auto use = uses_.extract(&layer_of(call))) move(call, use.mapped());
    return std::move(notes_);
  }

 private:
  const Layer& layer_of(std::size_t call) const {
    return *model_.layers()[model_.calls()[call].layer];
  }
  const std::vector<Network::Output>& inputs_of(std::size_t call) const {
    return model_.calls()[call].inputs;
  }
  /// TimeDistributed's is that of the layer within.
  std::string class_of(std::size_t call) const {
    const auto* steps = dynamic_cast<const TimeDistributed*>(&layer_of(call));
    return steps != nullptr ? steps->layer().class_name() : layer_of(call).class_name();
  }
  bool is_each_step(std::size_t call) const {
    return dynamic_cast<const TimeDistributed*>(&layer_of(call)) != nullptr;
  }
  const Shape& shape_of(std::size_t call) const { return model_.shape_of(Network::Output(call)); }
  Shape input_shape_of(std::size_t call) const {
    if (!inputs_of(call).empty()) return model_.shape_of(inputs_of(call).front());
    return layer_of(call).class_name() == "InputLayer" ? shape_of(call) : model_.input_shape();
  }
  [[noreturn]] void refuse(std::size_t call, const std::string& expected) const {
    fail(ExitCode::kBadData,
         "[{}] PyTorch's features are in another order here, as images are flattened: expected {}, "
         "got {}",
         printable(layer_of(call).name(), 80), expected, layer_of(call).class_name());
  }

  /// Every number, or every feature, by itself: the order does not matter to the layer.
  bool keeps_features(std::size_t call) const {
    const std::string name = class_of(call);
    return name != "Dense" && name != "Concatenate" && name != "GroupNormalization" &&
           !is_sequential(name) && !has_positions(name) && shape_of(call) == input_shape_of(call);
  }
  bool makes_images(std::size_t call) const {
    if (layer_of(call).class_name() != "Reshape" || channels_first_) return false;
    const auto reads = [&](std::size_t other) {
      return has_positions(class_of(other)) && !inputs_of(other).empty() &&
             inputs_of(other).front().call == call;
    };
    if (shape_of(call).size() != 2) return shape_of(call).size() > 2;
    for (std::size_t other = call + 1; other < layouts_.size(); ++other)
      if (reads(other)) return true;
    return false;
  }
  /// What images are made of is in PyTorch's order from the Dense on that it comes from.
  void want(std::size_t call) {
    if (!makes_images(call) || input_shape_of(call).size() != 1) return;
    std::size_t at = call;
    do {
      if (inputs_of(at).empty()) return;
      at = inputs_of(at).front().call;
    } while (keeps_features(at) && inputs_of(at).size() == 1);
    if (class_of(at) == "Dense") wanted_[at] = flattened(shape_of(call), 0);
  }

  Layout input_of(std::size_t call) const {
    Layout layout;
    if (inputs_of(call).empty()) {
      if (input_shape_of(call).size() > 2 && !channels_first_) layout.channels_behind = 0;
      return layout;
    }
    layout = layouts_[inputs_of(call).front().call];
    if (!layer_of(call).merges() || class_of(call) == "Concatenate") return layout;
    for (const Network::Output& input : inputs_of(call)) {
      const Layout& other = layouts_[input.call];
      if (other.channels_behind) layout.channels_behind = other.channels_behind;
      if (other.features != layout.features) refuse(call, "all inputs in the same order");
    }
    return layout;
  }

  Layout output_of(std::size_t call, const Layout& x) {
    const Layer& layer = layer_of(call);
    const std::string name = class_of(call);
    const Shape& out = shape_of(call);
    if (name == "InputLayer") return x;
    if (name == "Flatten" || (name == "Reshape" && out.size() == 1 + (is_each_step(call) ? 1 : 0)))
      return flatten(call, x);
    if (name == "Dense") return {{}, wanted_[call]};
    if (name == "Concatenate") return concatenate(call, x);
    if (!x.features.empty()) {
      if (name == "Reshape" && makes_images(call) && x.features == flattened(out, 0))
        return {0, {}};
      if (!keeps_features(call)) refuse(call, "Dense, or a layer that takes each by itself");
      return x;
    }
    if (name == "Reshape" && makes_images(call)) return {0, {}};
    if (layer.channels_first() || name.starts_with("Global")) return {};
    if (has_positions(name)) {
      const std::size_t digit = name.find_first_of("123");
      const std::size_t axes = digit == name.npos ? out.size() : std::size_t(name[digit] - '0') + 1;
      return axes <= out.size() ? Layout{out.size() - axes, {}} : Layout{};
    }
    return is_sequential(name) ? Layout{} : x;
  }

  Layout flatten(std::size_t call, const Layout& x) {
    Shape in = input_shape_of(call);
    if (!x.features.empty()) {
      if (in.size() > 1) refuse(call, "no other Flatten");
      return x;
    }
    const std::size_t steps = x.channels_behind.value_or(0);
    const std::size_t kept = is_each_step(call) ? 1 : 0;
    in.erase(in.begin(), in.begin() + std::ptrdiff_t(std::min(kept, in.size())));
    if (in.size() < 2) return {};
    if (layer_of(call).channels_first()) {
      if (x.channels_behind) refuse(call, "images with channels in front");
      std::ranges::rotate(in, in.begin() + 1);  // this Flatten puts them behind
      return {{}, flattened(in, 0)};
    }
    if (x.channels_behind)
      return {{}, flattened(in, std::min(steps - std::min(steps, kept), in.size() - 1))};
    if (!channels_first_)
      notes_.push_back(
          fmt::format("{} is of ({}), which are taken to be in the same order in PyTorch",
                      printable(layer_of(call).name(), 80), fmt::join(in, ", ")));
    return {};
  }

  Layout concatenate(std::size_t call, const Layout& x) const {
    Layout y = x;
    y.features.clear();
    const auto in_order = [&](const Network::Output& input) {
      return layouts_[input.call].features.empty();
    };
    for (const Network::Output& input : inputs_of(call))
      if (layouts_[input.call].channels_behind)
        y.channels_behind = layouts_[input.call].channels_behind;
    if (std::ranges::all_of(inputs_of(call), in_order)) return y;
    if (shape_of(call).size() != 1) refuse(call, "features alone");
    for (const Network::Output& input : inputs_of(call)) {
      Features part = layouts_[input.call].features;
      if (part.empty()) {
        part.resize(static_cast<std::size_t>(model_.shape_of(input).back()));
        std::iota(part.begin(), part.end(), std::int64_t{0});
      }
      const auto begin = static_cast<std::int64_t>(y.features.size());
      for (const std::int64_t at : part) y.features.push_back(begin + at);
    }
    return y;
  }

  void move(std::size_t call, const std::pair<Features, Features>& use) {
    const auto& [x, y] = use;
    if (x.empty() && y.empty()) return;
    const Layer& layer = layer_of(call);
    const std::string name = printable(layer.name(), 80);
    if (class_of(call) == "Dense") {
      reorder(layer.parameters().front(), x, true);
      for (const Parameter& parameter : layer.parameters()) reorder(parameter, y, false);
      if (!y.empty())
        notes_.push_back(
            fmt::format("{} is in front of a Reshape to images: its units are taken as PyTorch's, "
                        "with channels "
                        "in front",
                        name));
      if (!x.empty())
        notes_.push_back(fmt::format(
            "{} is behind a Flatten: its columns are taken as PyTorch's, with channels in front",
            name));
      return;
    }
    for (const Parameter& parameter : layer.parameters())
      if (!parameter.shape.empty() && parameter.shape.back() == static_cast<std::int64_t>(y.size()))
        reorder(parameter, y, false);
    notes_.push_back(fmt::format(
        "{} has features of images: they are taken as PyTorch's, with channels in front", name));
  }

  const Network& model_;
  bool channels_first_;
  std::vector<Layout> layouts_;   ///< of the outputs, by call
  std::vector<Features> wanted_;  ///< of Dense layers in front of a Reshape to images, by call
  std::map<const Layer*, std::pair<Features, Features>> uses_;
  std::vector<std::string> notes_;
};

}  // namespace

std::vector<std::string> take_features_from_torch(Network& model) {
  return FeatureOrders(model).apply();
}

}  // namespace lockstep
