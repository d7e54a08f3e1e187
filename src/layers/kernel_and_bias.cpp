#include "src/layers/kernel_and_bias.hpp"

#include <nlohmann/json.hpp>

#include "src/layers/config_values.hpp"

namespace lockstep {

std::vector<Parameter> KernelAndBias::parameters(Shape kernel, std::int64_t units) const {
  std::vector<Parameter> parameters;
  parameters.push_back({.name = "kernel",
                        .shape = std::move(kernel),
                        .initializer = kernel_initializer,
                        .regularizer = kernel_regularizer,
                        .constraint = kernel_constraint});
  if (use_bias)
    parameters.push_back({.name = "bias",
                          .shape = {units},
                          .initializer = bias_initializer,
                          .regularizer = bias_regularizer,
                          .constraint = bias_constraint});
  return parameters;
}

void KernelAndBias::write(nlohmann::ordered_json& config) const {
  config["use_bias"] = use_bias;
  config["kernel_initializer"] = kernel_initializer->to_json();
  config["bias_initializer"] = bias_initializer->to_json();
  config["kernel_regularizer"] = kernel_regularizer.to_json();
  config["bias_regularizer"] = bias_regularizer.to_json();
  config["activity_regularizer"] = nullptr;
  config["kernel_constraint"] = kernel_constraint.to_json();
  config["bias_constraint"] = bias_constraint.to_json();
}

KernelAndBias KernelAndBias::read(KerasConfig& config) {
  KernelAndBias options;
  options.use_bias = config.boolean("use_bias", options.use_bias);
  options.kernel_initializer =
      read_initializer(config, "kernel_initializer", options.kernel_initializer);
  options.bias_initializer = read_initializer(config, "bias_initializer", options.bias_initializer);
  options.kernel_regularizer = read_regularizer(config, "kernel_regularizer");
  options.bias_regularizer = read_regularizer(config, "bias_regularizer");
  config.expect("lora_rank", nullptr);
  options.kernel_constraint = read_constraint(config, "kernel_constraint");
  options.bias_constraint = read_constraint(config, "bias_constraint");
  return options;
}

}  // namespace lockstep
