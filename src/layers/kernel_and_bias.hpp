#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// What the layers with a kernel, y = activation(kernel applied to x + bias), have in common.
struct KernelAndBias {
  bool use_bias = true;
  std::shared_ptr<const Initializer> kernel_initializer =
      make_initializer(std::string("glorot_uniform"));
  std::shared_ptr<const Initializer> bias_initializer = make_initializer(std::string("zeros"));
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  Constraint kernel_constraint = {};
  Constraint bias_constraint = {};

  /// The kernel, and a bias of so many elements if there is one.
  std::vector<Parameter> parameters(Shape kernel, std::int64_t units) const;
  /// Keras's keys, in Keras's order: from use_bias on.
  void write(nlohmann::ordered_json& config) const;
  static KernelAndBias read(KerasConfig& config);
};

}  // namespace lockstep
