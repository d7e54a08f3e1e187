#include <algorithm>

#include "io/export/network_writer.hpp"
#include "src/layers/recurrent_layer.hpp"

// Which mask the first output of a call has: as Layer::apply_all() and lower() of each layer.
namespace lockstep {

std::optional<ExportMask> NetworkWriter::mask_behind(const LayerUse& use, const Names& x) {
  if (use.layer.on_mask() == OnMask::kCarries) return carried(use);
  if (use.layer.on_mask() != OnMask::kLowers) return {};
  const std::string kind = use.layer.class_name();
  if (use.is_set("mask_zero")) return ExportMask{differing(x[0], 0), use.inputs[0]};
  if (kind == "Embedding" || kind == "TokenAndPositionEmbedding") return {};
  if (kind == "Masking") {
    Shape positions = use.inputs[0];
    positions.pop_back();
    return ExportMask{any_of_last_axis(differing(x[0], use.number_of("mask_value"))), positions};
  }
  if (kind == "Multiply" || kind == "Maximum" || kind == "Minimum") return carried(use);
  if (kind == "Concatenate") return concatenated(use, x);
  if (kind == "GlobalAveragePooling1D") return {};
  if (kind == "Bidirectional" && !use.config["layer"]["config"].value("return_sequences", false))
    return {};
  const auto* const recurrent = dynamic_cast<const RecurrentLayer*>(&use.layer);
  if (recurrent != nullptr && !recurrent->return_sequences()) return {};
  return use.masks[0];
}

ExportMask NetworkWriter::either_mask(const ExportMask& a, const ExportMask& b) {
  return a.name == b.name ? a : ExportMask{either(a.name, b.name), a.shape};
}

std::optional<ExportMask> NetworkWriter::carried(const LayerUse& use) {
  std::optional<ExportMask> all = use.masks[0];
  for (const std::optional<ExportMask>& mask : use.masks) {
    if (!mask) return {};
    all = either_mask(*all, *mask);
  }
  return all;
}

/// As Concatenate::mask_of(), whose masks of ones are none here.
std::optional<ExportMask> NetworkWriter::concatenated(const LayerUse& use, const Names& x) {
  const auto has = [](const auto& mask) { return mask.has_value(); };
  if (std::ranges::none_of(use.masks, has)) return {};
  const std::size_t axis = use.axes_of("axis").front();
  if (axis + 1 == use.output.size()) return carried(use);
  const auto positions = [](Shape shape) {
    shape.pop_back();
    return shape;
  };
  Names all;
  for (std::size_t i = 0; i < x.size(); ++i)
    all.push_back(use.masks[i] ? use.masks[i]->name : all_true(x[i], positions(use.inputs[i])));
  return ExportMask{joined(all, static_cast<std::int64_t>(axis) + 1), positions(use.output)};
}

}  // namespace lockstep
