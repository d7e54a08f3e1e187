#include "src/layers/make_positions.hpp"

#include <limits>
#include <optional>

#include "src/core/words.hpp"
#include "src/layers/padding.hpp"
#include "src/layers/up_sampling.hpp"
#include "src/layers/window.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// What Keras writes as a list, be it for a tuple.
const ordered_json& items_of(const ordered_json& value) {
  return value.is_object() && value.contains("items") ? value.at("items") : value;
}

std::optional<std::int64_t> margin_of(const ordered_json& value) {
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  if (!value.is_number()) return {};
  const auto number = value.get<double>();
  if (!(number >= 0) || number > kMost) return {};
  const auto whole = static_cast<std::int64_t>(number);
  if (static_cast<double>(whole) != number) return {};
  return whole;
}

/// One number for both sides, or a list of two.
std::optional<Margin> read_margin(const ordered_json& value) {
  const ordered_json& items = items_of(value);
  if (const auto both = margin_of(items)) return Margin{*both, *both};
  if (!items.is_array() || items.size() != 2) return {};
  const auto before = margin_of(items[0]), behind = margin_of(items[1]);
  if (!before || !behind) return {};
  return Margin{*before, *behind};
}

/// 1, [1, 2] for one axis; 1, [1, 2] or [[1, 1], [0, 2]] for two.
std::optional<Margins> read_margins(const ordered_json& value, std::size_t axes) {
  const ordered_json& items = items_of(value);
  const auto single = items.is_array() && axes > 1 ? std::nullopt : read_margin(value);
  if (single) return Margins(axes, *single);
  if (!items.is_array() || axes == 1 || items.size() != axes) return {};
  Margins margins;
  for (const ordered_json& item : items) {
    const auto margin = read_margin(item);
    if (!margin) return {};
    margins.push_back(*margin);
  }
  return margins;
}

Margins read_margins(KerasConfig& config, const char* key, std::size_t axes,
                     std::int64_t fallback) {
  const Margins otherwise(axes, Margin{fallback, fallback});
  const ordered_json* const value = config.find(key);
  if (!value) return otherwise;
  if (const auto margins = read_margins(*value, axes)) return *margins;
  config.object_to(key,
                   axes == 1
                       ? "an integer of at least 0, or a list of two"
                       : fmt::format("an integer of at least 0, or a list of {}, each such an "
                                     "integer or a list of two",
                                     axes),
                   describe(*value));
  return otherwise;
}

}  // namespace

std::unique_ptr<Layer> make_zero_padding_over(std::size_t axes, KerasConfig& config) {
  return std::make_unique<ZeroPadding>(read_margins(config, "padding", axes, 1));
}

std::unique_ptr<Layer> make_cropping_over(std::size_t axes, KerasConfig& config) {
  return std::make_unique<Cropping>(read_margins(config, "cropping", axes, axes == 2 ? 0 : 1));
}

std::unique_ptr<Layer> make_up_sampling_over(std::size_t axes, KerasConfig& config) {
  const Shape size = read_extents(config, "size", axes, 2);
  auto interpolation = Interpolation::kNearest;
  if (axes == 2) {
    const std::string word = lower_case(config.text("interpolation", "nearest"));
    if (word == "bilinear")
      interpolation = Interpolation::kBilinear;
    else if (word != "nearest")
      config.object_to("interpolation", "nearest or bilinear",
                       describe(*config.find("interpolation")));
  }
  return std::make_unique<UpSampling>(size, interpolation);
}

}  // namespace lockstep
