// Layers behind masks: their gradients, and the same bits in blocks. Keras's numbers:
// keras_layers_test.cpp.
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Floats = std::vector<float>;
using Masks = test::LayerRun::Masks;

/// Of some rows: right, left and middle positions masked, none and all.
Floats mask_of(std::int64_t rows, std::int64_t positions, std::int64_t shift = 0) {
  Floats mask;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < positions; ++i) {
      const std::int64_t kind = (row + shift) % 5;
      const bool counts = kind == 0   ? 2 * i < positions
                          : kind == 1 ? 2 * i >= positions
                          : kind == 2 ? i % 3 != 1
                                      : kind == 3;
      mask.push_back(counts ? 1.0f : 0.0f);
    }
  return mask;
}

struct Setting {
  std::string name, class_name;
  ordered_json config;
  std::vector<Shape> inputs;
  std::size_t mask_axes = 1;  ///< that the masks have
  bool some_counts = false;   ///< of each row: the first position
};

std::vector<Setting> settings() {
  const auto sequences = [](ordered_json more) {
    ordered_json config = {{"units", 3}, {"return_sequences", true}};
    config.update(more);
    return config;
  };
  const auto around = [](const std::string& inner, ordered_json config) {
    return ordered_json{{"layer", {{"class_name", inner}, {"config", std::move(config)}}}};
  };
  const auto convolved = [](ordered_json more) {
    ordered_json config = {{"filters", 2}, {"kernel_size", 2}, {"padding", "same"}};
    config.update(more);
    return config;
  };
  const ordered_json model = {
      {"name", "inner"},
      {"layers",
       {{{"class_name", "Dense"}, {"config", {{"units", 3}, {"activation", "tanh"}}}},
        {{"class_name", "GRU"}, {"config", sequences({{"dropout", 0.3}})}},
        {{"class_name", "Dropout"}, {"config", {{"rate", 0.3}}}},
        {{"class_name", "LSTM"}, {"config", {{"units", 2}}}}}}};
  const ordered_json groups = {
      {"head_dim", 2}, {"num_query_heads", 4}, {"num_key_value_heads", 2}, {"use_gate", true}};
  const ordered_json block = {
      {"intermediate_dim", 3}, {"num_heads", 2}, {"activation", "tanh"}, {"normalize_first", true}};
  const ordered_json heads = {{"num_heads", 2}, {"key_dim", 2}};
  const ordered_json dropped = {{"num_heads", 2}, {"key_dim", 2}, {"dropout", 0.4}};
  return {
      {"SimpleRnn", "SimpleRNN", {{"units", 3}}, {{4, 2}}},
      {"SimpleRnnOfOneStep", "SimpleRNN", sequences(ordered_json::object()), {{1, 2}}},
      {"Lstm", "LSTM", {{"units", 3}}, {{4, 2}}},
      {"LstmOfTwoSteps", "LSTM", sequences({{"recurrent_dropout", 0.4}}), {{2, 1}}},
      {"LstmOfManySteps", "LSTM", sequences({{"dropout", 0.3}}), {{28, 2}}},
      {"LstmBackwards", "LSTM", sequences({{"go_backwards", true}}), {{5, 2}}},
      {"LstmOfZeros", "LSTM", sequences({{"zero_output_for_mask", true}}), {{5, 2}}},
      {"Gru", "GRU", {{"units", 3}, {"go_backwards", true}}, {{4, 2}}},
      {"GruWithDropout", "GRU", sequences({{"recurrent_dropout", 0.4}}), {{5, 2}}},
      {"GruResetBefore", "GRU", sequences({{"reset_after", false}}), {{5, 2}}},
      {"GruOfZeros", "GRU", {{"units", 2}, {"zero_output_for_mask", true}}, {{5, 2}}},
      {"BidirectionalLstm", "Bidirectional", around("LSTM", {{"units", 2}}), {{4, 2}}},
      {"BidirectionalGru",
       "Bidirectional",
       around("GRU", sequences(ordered_json::object())),
       {{4, 2}}},
      {"Attention", "MultiHeadAttention", heads, {{5, 3}, {4, 2}}},
      {"AttentionWithDropout", "MultiHeadAttention", dropped, {{5, 3}, {4, 2}}},
      {"AttentionOfThree", "MultiHeadAttention", heads, {{5, 3}, {4, 2}, {4, 3}}},
      {"GroupQueryAttention", "GroupQueryAttention", groups, {{5, 3}, {4, 2}}},
      // Gradients go through scores of which no more is left than multiples of 64.
      {"DotAttention", "Attention", {{"use_scale", true}}, {{5, 3}, {4, 3}, {4, 3}}, 1, true},
      {"ConcatAttention", "Attention", {{"score_mode", "concat"}}, {{4, 2}, {4, 2}}, 1, true},
      {"AdditiveAttention", "AdditiveAttention", {{"dropout", 0.3}}, {{1, 3}, {6, 3}}, 1, true},
      {"ConvLstm", "ConvLSTM1D", convolved({{"dropout", 0.3}}), {{4, 3, 1}}},
      {"ConvLstmBackwards",
       "ConvLSTM2D",
       convolved({{"go_backwards", true}, {"return_sequences", true}, {"recurrent_dropout", 0.4}}),
       {{3, 2, 2, 1}}},
      {"ConvLstmOfPositions",
       "ConvLSTM1D",
       convolved({{"return_sequences", true}}),
       {{4, 3, 2}},
       2},
      {"ConvLstmOfZeros",
       "ConvLSTM1D",
       convolved({{"zero_output_for_mask", true}, {"return_sequences", true}}),
       {{4, 3, 1}},
       2},
      {"BidirectionalConvLstm",
       "Bidirectional",
       around("ConvLSTM1D", convolved({{"return_sequences", true}})),
       {{3, 2, 1}}},
      {"TimeDistributedLstm", "TimeDistributed", around("LSTM", {{"units", 2}}), {{3, 4, 2}}, 2},
      {"TimeDistributedAverage",
       "TimeDistributed",
       around("GlobalAveragePooling1D", ordered_json::object()),
       {{3, 4, 2}},
       2,
       true},
      {"TimeDistributedModel", "TimeDistributed", around("Sequential", model), {{3, 4, 2}}, 2},
      {"TimeDistributedNormalization",
       "TimeDistributed",
       around("BatchNormalization", ordered_json::object()),
       {{3, 4}}},
      {"Encoder", "TransformerEncoder", block, {{5, 4}}},
      {"Decoder", "TransformerDecoder", block, {{5, 4}}},
      {"BatchNormalization", "BatchNormalization", ordered_json::object(), {{5, 2}}},
      {"Masking", "Masking", {{"mask_value", 7}}, {{5, 2}}},
      {"Multiply", "Multiply", ordered_json::object(), {{5, 2}, {5, 2}, {5, 2}}},
      {"Maximum", "Maximum", ordered_json::object(), {{5, 2}, {5, 2}, {5, 2}}},
      {"Concatenate", "Concatenate", {{"axis", 1}}, {{5, 2}, {3, 2}}},
      {"Dense", "Dense", {{"units", 2}}, {{5, 2}}},
  };
}

Shape positions_of(const Setting& setting, std::size_t input) {
  Shape positions = setting.inputs[input];
  positions.resize(setting.mask_axes);
  return positions;
}

Masks masks_of(const Setting& setting, std::int64_t rows) {
  Masks masks;
  for (std::size_t i = 0; i < setting.inputs.size(); ++i) {
    const Shape positions = positions_of(setting, i);
    masks.push_back(
        mask_of(rows, element_count(positions), static_cast<std::int64_t>(i == 2 ? 1 : 2 * i)));
    for (std::size_t at = 0; setting.some_counts && at < masks.back().size(); ++at)
      if (static_cast<std::int64_t>(at) % positions.back() == 0) masks.back()[at] = 1;
  }
  return masks;
}

class MaskedLayers : public ::testing::TestWithParam<Setting> {};

TEST_P(MaskedLayers, HaveTheGradientsOfFiniteDifferences) {
  const auto layer = test::layer_of(GetParam().class_name, GetParam().config);
  test::expect_merged_gradients_match_finite_differences(
      *layer, GetParam().inputs, 5, {.training = true}, false, masks_of(GetParam(), 5));
}

TEST_P(MaskedLayers, HaveTheSameBitsInBlocks) {
  test::expect_the_same_bits_in_blocks(GetParam().class_name, GetParam().config, GetParam().inputs,
                                       masks_of(GetParam(), 11));
}

/// A mask that leaves everything changes nothing.
TEST_P(MaskedLayers, HaveTheSameBitsBehindAMaskOfOnes) {
  const auto run = [&](bool masked) {
    const auto layer = test::layer_of(GetParam().class_name, GetParam().config);
    Masks masks;
    for (std::size_t i = 0; masked && i < GetParam().inputs.size(); ++i)
      masks.emplace_back(static_cast<std::size_t>(3 * element_count(positions_of(GetParam(), i))),
                         1.0f);
    test::LayerRun run(*layer, GetParam().inputs, 3, {.training = true}, 0, false, {}, masks);
    const auto fill = [](std::span<float> values, std::uint32_t stream) {
      const RandomStream random(3, Purpose::kSynthetic, stream);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = random.uniform(i) - 0.4f;
    };
    std::uint32_t stream = 0;
    for (Parameter& parameter : layer->parameters()) fill(parameter.value, ++stream);
    for (std::size_t i = 0; i < GetParam().inputs.size(); ++i) fill(run.x(i), ++stream);
    Floats all = run.forward();
    run.backward(all);
    for (std::size_t i = 0; i < GetParam().inputs.size(); ++i)
      all.insert(all.end(), run.dx(i).begin(), run.dx(i).end());
    return all;
  };
  // Whose divisors are others.
  if (GetParam().name.ends_with("Normalization") || GetParam().name.ends_with("Average")) return;
  EXPECT_EQ(run(true), run(false));
}

/// The memory of the mask outlives what else the gradients by the parameters would have kept.
TEST_P(MaskedLayers, PassTheSameGradientsWhenTheyAreFrozen) {
  const auto gradients = [&](bool trained) {
    const auto layer = test::layer_of(GetParam().class_name, GetParam().config);
    layer->set_trainable(trained);
    test::LayerRun run(*layer, GetParam().inputs, 5, {.training = true}, 0, false, {},
                       masks_of(GetParam(), 5));
    std::uint64_t at = 0;
    const RandomStream random(3, Purpose::kSynthetic, 0);
    const auto fill = [&](std::span<float> values) {
      for (float& value : values) value = random.uniform(at++) - 0.4f;
    };
    for (Parameter& parameter : layer->parameters()) fill(parameter.value);
    for (std::size_t i = 0; i < GetParam().inputs.size(); ++i) fill(run.x(i));
    Floats dy = run.forward();
    fill(dy);
    run.backward(dy);
    Floats all;
    for (std::size_t i = 0; i < GetParam().inputs.size(); ++i)
      all.insert(all.end(), run.dx(i).begin(), run.dx(i).end());
    return all;
  };
  if (GetParam().name == "BatchNormalization") return;  // another function when it is frozen
  EXPECT_EQ(gradients(false), gradients(true));
}

INSTANTIATE_TEST_SUITE_P(All, MaskedLayers, ::testing::ValuesIn(settings()),
                         [](const auto& info) { return info.param.name; });

/// As Keras 3's: a residual around it has no mask.
TEST(MaskedLayers, OfAttentionTakeTheMaskFromTheirInputs) {
  const auto attention = test::layer_of("MultiHeadAttention", {{"num_heads", 1}, {"key_dim", 2}});
  const auto add = test::layer_of("Add", ordered_json::object());
  attention->set_name("attention");
  Graph graph;
  const std::size_t x = graph.add_input({3, 2});
  const std::size_t mask = graph.add_input({3});
  graph.set_mask(x, mask);
  const std::size_t y = attention->apply(graph, std::array{x, x});
  EXPECT_EQ(graph.mask(y), mask);
  EXPECT_FALSE(graph.mask(x));
  EXPECT_FALSE(graph.mask(add->apply(graph, std::array{x, y})));
}

/// As TimeDistributed's outputs have them.
TEST(MaskedLayers, RefuseMasksOfFewerAxes) {
  for (const auto& [class_name, config] :
       {std::pair<const char*, ordered_json>{"Multiply", ordered_json::object()},
        {"Maximum", ordered_json::object()},
        {"Concatenate", {{"axis", 2}}}}) {
    const auto layer = test::layer_of(class_name, config);
    Graph graph;
    const std::array values = {graph.add_input({5, 4, 4}), graph.add_input({5, 4, 4})};
    for (const std::size_t value : values) graph.set_mask(value, graph.add_input({5}));
    EXPECT_THROW(layer->apply(graph, values), Error) << class_name;
  }
}

/// Keras 3's GroupQueryAttention leaves it there.
TEST(MaskedLayers, OfGroupQueryAttentionLeaveTheMask) {
  const auto attention = test::layer_of(
      "GroupQueryAttention", {{"head_dim", 2}, {"num_query_heads", 2}, {"num_key_value_heads", 1}});
  attention->set_name("attention");
  Graph graph;
  const std::size_t x = graph.add_input({3, 2});
  const std::size_t mask = graph.add_input({3});
  graph.set_mask(x, mask);
  EXPECT_EQ(graph.mask(attention->apply(graph, std::array{x, x})), mask);
  EXPECT_EQ(graph.mask(x), mask);
}

TEST(MaskedLayers, OfConvLstmRefuseAMaskOfOtherPositionsThanTheOutputs) {
  const auto layer = test::layer_of("ConvLSTM1D", {{"filters", 1}, {"kernel_size", 2}});
  EXPECT_THROW(
      test::LayerRun(*layer, {{2, 3, 1}}, 1, {.training = true}, 0, false, {}, {Floats(6, 1.0f)}),
      Error);
}

TEST(MaskedLayers, OfTimeDistributedRefuseStepsMasksForRecurrentLayers) {
  const auto layer = test::layer_of(
      "TimeDistributed", {{"layer", {{"class_name", "LSTM"}, {"config", {{"units", 1}}}}}});
  EXPECT_THROW(
      test::LayerRun(*layer, {{2, 3, 1}}, 1, {.training = true}, 0, false, {}, {Floats(2, 1.0f)}),
      Error);
}

/// A layer of KerasHub's takes no mask as an argument.
TEST(MaskedLayers, OfTimeDistributedGiveNoneToATransformer) {
  const ordered_json encoder = {{"class_name", "TransformerEncoder"},
                                {"config", {{"intermediate_dim", 2}, {"num_heads", 1}}}};
  const auto outputs = [&](const Masks& masks) {
    const auto layer = test::layer_of("TimeDistributed", {{"layer", encoder}});
    test::LayerRun run(*layer, {{2, 3, 2}}, 1, {.training = true}, 0, false, {}, masks);
    for (Parameter& parameter : layer->parameters())
      for (std::size_t i = 0; i < parameter.value.size(); ++i)
        parameter.value[i] = 0.3f - 0.1f * static_cast<float>(i % 5);
    for (std::size_t i = 0; i < run.x().size(); ++i) run.x()[i] = static_cast<float>(i * i % 7);
    return run.forward();
  };
  EXPECT_EQ(outputs({{1, 0, 1, 0, 0, 1}}), outputs({}));
}

TEST(MaskedLayers, RefuseMasksOfOtherPositions) {
  const auto add = test::layer_of("Add", ordered_json::object());
  EXPECT_THROW(test::LayerRun(*add, {{3, 2}, {1, 2}}, 2, {.training = true}, 0, false, {},
                              {Floats(6, 1.0f), Floats(2, 1.0f)}),
               Error);
}

}  // namespace
}  // namespace lockstep
