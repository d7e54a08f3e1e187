#include "src/layers/make_normalization.hpp"

#include <limits>

#include "src/layers/batch_normalization.hpp"
#include "src/layers/config_values.hpp"
#include "src/layers/group_normalization.hpp"
#include "src/layers/layer_normalization.hpp"

namespace lockstep {
namespace {

double read_epsilon(KerasConfig& config, double fallback) {
  return read_number(config, "epsilon", fallback, 0, std::numeric_limits<double>::infinity());
}

void read_options(KerasConfig& config, NormalizationOptions& options) {
  options.epsilon = read_epsilon(config, options.epsilon);
  options.center = config.boolean("center", options.center);
  options.scale = config.boolean("scale", options.scale);
  options.beta_initializer = read_initializer(config, "beta_initializer", options.beta_initializer);
  options.gamma_initializer =
      read_initializer(config, "gamma_initializer", options.gamma_initializer);
  options.beta_regularizer = read_regularizer(config, "beta_regularizer");
  options.gamma_regularizer = read_regularizer(config, "gamma_regularizer");
  options.beta_constraint = read_constraint(config, "beta_constraint");
  options.gamma_constraint = read_constraint(config, "gamma_constraint");
}

/// Keras 2 writes a list of one.
std::int64_t read_axis(KerasConfig& config) {
  const std::vector<std::int64_t> axes = read_axes(config, "axis");
  if (axes.size() != 1)
    config.object_to("axis", "one axis, the last", describe(*config.find("axis")));
  return axes.empty() ? -1 : axes.front();
}

}  // namespace

std::unique_ptr<Layer> make_batch_normalization(KerasConfig& config) {
  BatchNormalization::Options options;
  read_options(config, options);
  options.axis = read_axis(config);
  const bool channels_first = options.axis == 1;
  if (channels_first) options.axis = -1;
  options.momentum = read_number(config, "momentum", options.momentum, 0, 1);
  options.moving_mean_initializer =
      read_initializer(config, "moving_mean_initializer", options.moving_mean_initializer);
  options.moving_variance_initializer =
      read_initializer(config, "moving_variance_initializer", options.moving_variance_initializer);
  config.expect_for_training("renorm", false);
  config.expect("mode", 0);  // Keras 1's
  config.expect("virtual_batch_size", nullptr);
  // Statistics are those of the whole batch anyway, whatever computes them.
  config.ignore({"synchronized", "fused", "renorm_clipping", "renorm_momentum"});
  auto layer = std::make_unique<BatchNormalization>(std::move(options));
  layer->set_channels_first(channels_first);
  return layer;
}

std::unique_ptr<Layer> make_layer_normalization(KerasConfig& config) {
  LayerNormalization::Options options;
  read_options(config, options);
  options.axes = read_axes(config, "axis");
  config.expect("rms_scaling", false);
  return std::make_unique<LayerNormalization>(std::move(options));
}

std::unique_ptr<Layer> make_group_normalization(KerasConfig& config) {
  GroupNormalization::Options options;
  read_options(config, options);
  options.axis = read_axis(config);
  if (config.find("groups"))
    options.groups = config.integer("groups", -1, std::numeric_limits<std::int32_t>::max());
  if (options.groups == 0) config.object_to("groups", "-1, or 1 or more", "0");
  return std::make_unique<GroupNormalization>(std::move(options));
}

std::unique_ptr<Layer> make_rms_normalization(KerasConfig& config) {
  std::vector<std::int64_t> axes = read_axes(config, "axis");
  return std::make_unique<RMSNormalization>(std::move(axes), read_epsilon(config, 1e-6));
}

std::unique_ptr<Layer> make_unit_normalization(KerasConfig& config) {
  const double shortest = config.keras() == KerasMajor::k3 ? 1e-12 : 1e-6;
  return std::make_unique<UnitNormalization>(read_axes(config, "axis"), shortest);
}

}  // namespace lockstep
