#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/layers/make_layer.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep::test {

/// make_layer() of a config alone.
std::unique_ptr<Layer> layer_of(const std::string& class_name,
                                const nlohmann::ordered_json& config);
/// What make_layer() refuses the config with, or what the layer says to an input of this shape;
/// empty if nothing.
std::string refusal_of(const std::string& class_name, const nlohmann::ordered_json& config,
                       const Shape& input = {4});

/// Expects the same bits of outputs and gradients, however rows are grouped into blocks, for random
/// inputs and parameters. 11 rows.
void expect_the_same_bits_in_blocks(const std::string& class_name,
                                    const nlohmann::ordered_json& config,
                                    const std::vector<Shape>& inputs,
                                    const LayerRun::Masks& masks = {});

}  // namespace lockstep::test
