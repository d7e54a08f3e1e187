#include "src/layers/position_embedding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

TEST(PositionEmbedding, BackwardMatchesFiniteDifferences) {
  PositionEmbedding all(4), first(5);
  test::expect_gradients_match_finite_differences(all, {4, 3}, 3);
  test::expect_gradients_match_finite_differences(first, {2, 17}, 3);
}

TEST(PositionEmbedding, GivesTheSameBitsInBlocks) {
  test::expect_the_same_bits_in_blocks("PositionEmbedding", {{"sequence_length", 5}}, {{3, 7}});
  test::expect_the_same_bits_in_blocks("PositionEmbedding", {{"sequence_length", 1}}, {{1, 1}});
}

TEST(PositionEmbedding, GradientOfPositionsThatTheInputLacksIsZero) {
  Network model = model_from_layers_text("Input((2, 3)), PositionEmbedding(4)");
  const Workspace workspace = model.training_workspace(1);
  const Range row{0, 1};
  model.forward(workspace, row, {.training = true});
  std::ranges::fill(workspace.output_gradient(row).flat(), 1.0f);
  model.backward(workspace, row, {.training = true});
  Floats gradient(12, 7);
  model.gradients(workspace, row, {.training = true}, {.samples = {&row, 1}, .grain = 1}, {0, 12},
                  gradient.data());
  EXPECT_EQ(gradient, (Floats{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}));
  gradient.assign(12, 7);
  model.gradients(workspace, row, {.training = true}, {.samples = {&row, 1}, .grain = 1}, {8, 10},
                  gradient.data());
  EXPECT_EQ(gradient, (Floats{0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}));
}

TEST(SinePositionEncoding, IsSinesAndCosines) {
  constexpr std::size_t kPositions = 300, kFeatures = 5;
  SinePositionEncoding layer(100);
  test::LayerRun run(layer, {{kPositions, kFeatures}}, 2);
  const Floats y = run.forward();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto feature = static_cast<double>(i % kFeatures);
    const auto position = static_cast<double>(i / kFeatures % kPositions);
    const double angle = position * std::pow(100, -2 * std::floor(feature / 2) / kFeatures);
    EXPECT_NEAR(y[i], i % kFeatures % 2 == 0 ? std::sin(angle) : std::cos(angle), 1e-7) << i;
  }
  run.backward(y);
  EXPECT_EQ(run.dx(), Floats(y.size(), 0));
}

TEST(TokenAndPositionEmbedding, AddsRowsOfBothTables) {
  TokenAndPositionEmbedding layer(3, 4, 2);
  test::LayerRun run(layer, {{3}}, 2);
  std::ranges::copy(Floats{0, 1, 10, 11, 20, 21}, layer.parameters()[0].value.begin());
  std::ranges::copy(Floats{100, 200, 300, 400, 500, 600, 700, 800},
                    layer.parameters()[1].value.begin());
  run.x() = {2, 0, 2, 1, 1, 0};
  EXPECT_EQ(run.forward(), (Floats{120, 221, 300, 401, 520, 621, 110, 211, 310, 411, 500, 601}));
  run.backward({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  EXPECT_EQ(run.gradient(0), (Floats{14, 16, 16, 18, 6, 8}));
  EXPECT_EQ(run.gradient(1), (Floats{8, 10, 12, 14, 16, 18, 0, 0}));
}

TEST(TokenAndPositionEmbedding, GivesTheSameBitsInBlocks) {
  constexpr std::size_t kRows = 11;
  std::vector<Floats> results;
  for (const std::int64_t block_grains : {0, 1, 2, 4}) {
    TokenAndPositionEmbedding layer(5, 4, 7);
    test::LayerRun run(layer, {{3}}, kRows, {.training = true}, block_grains);
    const RandomStream random(7, Purpose::kSynthetic, 0);
    for (std::size_t i = 0; i < run.x().size(); ++i)
      run.x()[i] = static_cast<float>(random.below(4, i));
    Floats all = run.forward(), dy(kRows * 21);
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = random.uniform(i);
    run.backward(dy);
    for (std::size_t parameter : {0, 1}) {
      const Floats gradient = run.gradient(parameter);
      all.insert(all.end(), gradient.begin(), gradient.end());
    }
    results.push_back(std::move(all));
  }
  EXPECT_THAT(results, testing::Each(results[0]));
}

TEST(PositionLayers, WriteWhatTheyRead) {
  const ordered_json position = {{"sequence_length", 3}, {"initializer", "zeros"}};
  const ordered_json sine = {{"max_wavelength", 50.5}};
  const ordered_json both = {{"vocabulary_size", 5}, {"sequence_length", 3},
                             {"embedding_dim", 2},   {"embeddings_initializer", "ones"},
                             {"tie_weights", true},  {"mask_zero", true}};
  for (const auto& [class_name, config] :
       std::vector<std::pair<std::string, ordered_json>>{{"PositionEmbedding", position},
                                                         {"SinePositionEncoding", sine},
                                                         {"TokenAndPositionEmbedding", both}}) {
    const ordered_json written = test::layer_of(class_name, config)->config();
    for (const auto& [key, value] : config.items())
      if (!key.ends_with("initializer")) {
        EXPECT_EQ(written[key], value) << key;
      }
    EXPECT_EQ(test::layer_of(class_name, written)->config(), written);
  }
  EXPECT_EQ(test::layer_of("PositionEmbedding", position)->config()["initializer"]["class_name"],
            "Zeros");
  EXPECT_EQ(PositionEmbedding(3).config()["initializer"]["class_name"], "GlorotUniform");
  EXPECT_EQ(test::layer_of("TokenAndPositionEmbedding", both)
                ->config()["embeddings_initializer"]["class_name"],
            "Ones");
}

TEST(PositionLayers, RefuseWhatTheyLack) {
  using test::refusal_of;
  EXPECT_THAT(refusal_of("PositionEmbedding", {{"sequence_length", 3}}, {4, 2}),
              HasSubstr("[layer] expected an input (None, positions, features) of at most 3 "
                        "positions, got (None, 4, 2)"));
  EXPECT_THAT(refusal_of("PositionEmbedding", {{"sequence_length", 3}}, {2}),
              HasSubstr("got (None, 2)"));
  EXPECT_THAT(refusal_of("PositionEmbedding", {{"sequence_length", 0}}),
              HasSubstr("sequence_length: expected"));
  EXPECT_THAT(refusal_of("SinePositionEncoding", {{"max_wavelength", 0}}),
              HasSubstr("max_wavelength: expected a number of at least 1, got 0"));
  ordered_json both = {{"vocabulary_size", 5}, {"sequence_length", 3}, {"embedding_dim", 2}};
  EXPECT_EQ(refusal_of("TokenAndPositionEmbedding", both, {3}), "");
  EXPECT_THAT(refusal_of("TokenAndPositionEmbedding", both, {4}),
              HasSubstr("[layer] expected an input (None, positions) of at most 3 positions"));
  both["tie_weights"] = false;
  EXPECT_THAT(refusal_of("TokenAndPositionEmbedding", both),
              HasSubstr("tie_weights: expected true, got false"));
}

}  // namespace
}  // namespace lockstep
