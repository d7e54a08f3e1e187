#include "tests/support/layer_checks.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/core/error.hpp"
#include "src/core/random.hpp"
#include "src/model/model_layer.hpp"

namespace lockstep::test {
namespace {

void fill(std::span<float> values, std::uint32_t stream) {
  const RandomStream random(23, Purpose::kSynthetic, stream);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.25f + random.uniform(i);
}

/// y, then all gradients, then the parameters afterwards.
std::vector<float> results(const std::string& class_name, const nlohmann::ordered_json& config,
                           const std::vector<Shape>& inputs, std::int64_t block_grains,
                           const LayerRun::Masks& masks) {
  constexpr std::int64_t kRows = 11;
  const auto layer = layer_of(class_name, config);
  LayerRun run(*layer, inputs, kRows, {.training = true, .writes_state = true}, block_grains, false,
               {}, masks);
  std::uint32_t stream = 0;
  for (Parameter& parameter : layer->parameters()) fill(parameter.value, ++stream);
  for (std::size_t i = 0; i < inputs.size(); ++i) fill(run.x(i), ++stream);
  std::vector<float> all = run.forward();
  std::vector<float> dy(all.size());
  fill(dy, ++stream);
  run.backward(dy);
  const auto append = [&](std::span<const float> more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) append(run.dx(i));
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    if (layer->parameters()[i].trained()) append(run.gradient(i));
    append(layer->parameters()[i].value);
  }
  return all;
}

/// What is computed once of the rows is what training would compute: see frozen_front().
void expect_what_inference_computes_unless_it_says_so(const std::string& class_name,
                                                      const nlohmann::ordered_json& config,
                                                      const std::vector<Shape>& inputs,
                                                      const LayerRun::Masks& masks) {
  constexpr std::int64_t kRows = 11;
  std::vector<float> y[2];
  bool differs = false;
  for (const bool training : {false, true}) {
    const auto layer = layer_of(class_name, config);
    LayerRun run(*layer, inputs, kRows, {.training = training}, 0, false, {}, masks);
    std::uint32_t stream = 0;
    for (Parameter& parameter : layer->parameters()) fill(parameter.value, ++stream);
    for (std::size_t i = 0; i < inputs.size(); ++i) fill(run.x(i), ++stream);
    y[training ? 1 : 0] = run.forward();
    differs = run.differs_in_training();
  }
  EXPECT_EQ(y[0] == y[1], !differs) << class_name;
}

}  // namespace

std::unique_ptr<Layer> layer_of(const std::string& class_name, const nlohmann::ordered_json& json) {
  KerasConfig config(
      json, [](const std::string& key) { return key; }, ExitCode::kBadData);
  auto layer = make_layer_of_network(class_name, config);
  config.training_problems().throw_if_any(ExitCode::kBadData);
  return layer;
}

std::string refusal_of(const std::string& class_name, const nlohmann::ordered_json& config,
                       const Shape& input) {
  try {
    const auto layer = layer_of(class_name, config);
    if (layer->name().empty()) layer->set_name("layer");
    Graph graph;
    const std::size_t value = graph.add_input(input);
    layer->apply(graph, {&value, 1});
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

void expect_the_same_bits_in_blocks(const std::string& class_name,
                                    const nlohmann::ordered_json& config,
                                    const std::vector<Shape>& inputs,
                                    const LayerRun::Masks& masks) {
  const std::vector<float> expected = results(class_name, config, inputs, 0, masks);
  for (const std::int64_t block_grains : {1, 2, 4})
    EXPECT_EQ(results(class_name, config, inputs, block_grains, masks), expected) << block_grains;
  expect_what_inference_computes_unless_it_says_so(class_name, config, inputs, masks);
}

}  // namespace lockstep::test
