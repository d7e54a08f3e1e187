#include "src/layers/normalization.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {

void add_scale_and_offset(std::vector<Parameter>& parameters, const NormalizationOptions& options,
                          const Shape& shape) {
  if (options.scale)
    parameters.push_back({.name = "gamma",
                          .shape = shape,
                          .initializer = options.gamma_initializer,
                          .regularizer = options.gamma_regularizer,
                          .constraint = options.gamma_constraint});
  if (options.center)
    parameters.push_back({.name = "beta",
                          .shape = shape,
                          .initializer = options.beta_initializer,
                          .regularizer = options.beta_regularizer,
                          .constraint = options.beta_constraint});
}

void write_options(nlohmann::ordered_json& config, const NormalizationOptions& options,
                   const nlohmann::ordered_json& more) {
  config["epsilon"] = options.epsilon;
  config["center"] = options.center;
  config["scale"] = options.scale;
  config["beta_initializer"] = options.beta_initializer->to_json();
  config["gamma_initializer"] = options.gamma_initializer->to_json();
  config.update(more);
  config["beta_regularizer"] = options.beta_regularizer.to_json();
  config["gamma_regularizer"] = options.gamma_regularizer.to_json();
  config["beta_constraint"] = options.beta_constraint.to_json();
  config["gamma_constraint"] = options.gamma_constraint.to_json();
}

ScaleAndOffset::ScaleAndOffset(std::span<Parameter> parameters, bool scale, bool center,
                               std::int64_t elements)
    : ones_(scale ? 0 : static_cast<std::size_t>(elements), 1.0f),
      zeros_(center ? 0 : static_cast<std::size_t>(elements), 0.0f) {
  if (scale) scale_ = parameters_.emplace_back(&parameters[0]);
  if (center) offset_ = parameters_.emplace_back(&parameters[parameters_.size()]);
}

std::size_t last_axes(const std::string& layer, std::vector<std::int64_t> axes,
                      const Shape& input) {
  const auto rank = static_cast<std::int64_t>(input.size()) + 1;
  const std::string given = fmt::format("{}", axes);
  for (std::int64_t& axis : axes)
    if (axis < 0) axis += rank;
  std::ranges::sort(axes);
  bool last = !axes.empty() && axes.front() > 0;
  for (std::size_t i = 0; i < axes.size(); ++i)
    last = last && axes[i] == rank - static_cast<std::int64_t>(axes.size() - i);
  check(last, ExitCode::kBadData, "[{}] expected the last axes, such as [-1], of {}, got axis {}",
        layer, to_string_batched(input), given);
  return axes.size();
}

}  // namespace lockstep
