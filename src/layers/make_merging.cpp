#include "src/layers/make_merging.hpp"

#include <limits>

#include "src/layers/arranging.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/dot.hpp"
#include "src/layers/masking.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMostAxes = 32;

}  // namespace

std::unique_ptr<Layer> make_concatenate(KerasConfig& config) {
  const std::int64_t axis = config.integer("axis", -1, -kMostAxes, kMostAxes);
  return config.convert(
      "axis", [&]() -> std::unique_ptr<Layer> { return std::make_unique<Concatenate>(axis); });
}

std::unique_ptr<Layer> make_dot(KerasConfig& config) {
  std::vector<std::int64_t> axes = config.integers("axes", -kMostAxes, kMostAxes);
  const bool normalize = config.boolean("normalize", false);
  if (axes.size() == 1) axes.push_back(axes[0]);
  return config.convert("axes", [&]() -> std::unique_ptr<Layer> {
    check(axes.size() == 2, ExitCode::kBadData, "[dot] expected one axis or two, got {}",
          axes.size());
    return std::make_unique<Dot>(std::array{axes[0], axes[1]}, normalize);
  });
}

std::unique_ptr<Layer> make_permute(KerasConfig& config) {
  const Shape dims = config.shape("dims", false);
  return config.convert(
      "dims", [&]() -> std::unique_ptr<Layer> { return std::make_unique<Permute>(dims); });
}

std::unique_ptr<Layer> make_repeat_vector(KerasConfig& config) {
  return std::make_unique<RepeatVector>(
      config.integer("n", 1, std::numeric_limits<std::int32_t>::max()));
}

std::unique_ptr<Layer> make_masking(KerasConfig& config) {
  return std::make_unique<Masking>(config.number("mask_value", 0.0));
}

}  // namespace lockstep
