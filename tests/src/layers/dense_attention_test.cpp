// Keras's Attention, AdditiveAttention and GroupQueryAttention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/layers/attention.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

struct Case {
  std::string class_name;
  ordered_json config;
  std::vector<Shape> inputs;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"Attention", ordered_json::object(), {{3, 2}, {4, 2}}},
      {"Attention", {{"use_scale", true}, {"dropout", 0.3}}, {{3, 2}, {4, 3}, {4, 2}}},
      {"Attention", {{"score_mode", "concat"}}, {{3, 2}, {2, 3}, {2, 2}}},
      {"Attention",
       {{"score_mode", "concat"}, {"use_scale", true}, {"dropout", 0.2}},
       {{2, 3}, {4, 3}}},
      {"AdditiveAttention", ordered_json::object(), {{3, 4}, {2, 4}}},
      {"AdditiveAttention", {{"use_scale", false}}, {{3, 2}, {2, 3}, {2, 2}}},
      {"AdditiveAttention", {{"dropout", 0.4}}, {{2, 70}, {3, 70}}},
      {"GroupQueryAttention",
       {{"head_dim", 2}, {"num_query_heads", 4}, {"num_key_value_heads", 2}, {"dropout", 0.2}},
       {{3, 4}, {2, 3}}},
      {"GroupQueryAttention",
       {{"head_dim", 2}, {"num_query_heads", 3}, {"num_key_value_heads", 1}, {"use_gate", true}},
       {{2, 3}, {3, 2}, {3, 4}}},
  };
  return all;
}

TEST(DenseAttention, BackwardMatchesFiniteDifferences) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.class_name + c.config.dump());
    if (c.inputs[0].back() > 10) continue;
    test::expect_merged_gradients_match_finite_differences(*test::layer_of(c.class_name, c.config),
                                                           c.inputs, 3);
  }
}

TEST(DenseAttention, GivesTheSameBitsInBlocks) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.class_name + c.config.dump());
    test::expect_the_same_bits_in_blocks(c.class_name, c.config, c.inputs);
  }
}

TEST(DenseAttention, ConfigMakesTheSameLayerAgain) {
  for (const Case& c : cases()) {
    const ordered_json written = test::layer_of(c.class_name, c.config)->config();
    EXPECT_EQ(test::layer_of(c.class_name, written)->config(), written);
    for (const auto& [key, value] : c.config.items()) EXPECT_EQ(written.at(key), value) << key;
  }
}

std::vector<std::string> parameters_of(const Case& c) {
  const auto layer = test::layer_of(c.class_name, c.config);
  const test::LayerRun run(*layer, c.inputs, 1);
  std::vector<std::string> all;
  for (std::size_t i = 0; i < layer->parameters().size(); ++i)
    all.push_back(layer->parameters()[i].path() + " " + to_string(layer->parameters()[i].shape) +
                  " " + layer->stores()[i]);
  return all;
}

TEST(DenseAttention, MakesKerassParameters) {
  EXPECT_TRUE(parameters_of(cases()[0]).empty());
  EXPECT_THAT(parameters_of(cases()[3]),
              testing::ElementsAre("scale () vars/0", "concat_score_weight () vars/1"));
  EXPECT_THAT(parameters_of(cases()[4]), testing::ElementsAre("scale (4) vars/0"));
  EXPECT_THAT(
      parameters_of(cases()[8]),
      testing::ElementsAre(
          "query/kernel (3, 3, 2) _query_dense/vars/0", "query/bias (3, 2) _query_dense/vars/1",
          "key/kernel (4, 1, 2) _key_dense/vars/0", "key/bias (1, 2) _key_dense/vars/1",
          "gate/kernel (3, 3, 2) _gate_dense/vars/0", "gate/bias (3, 2) _gate_dense/vars/1",
          "value/kernel (2, 1, 2) _value_dense/vars/0", "value/bias (1, 2) _value_dense/vars/1",
          "attention_output/kernel (3, 2, 3) _output_dense/vars/0",
          "attention_output/bias (3) _output_dense/vars/1"));
}

/// Heads that share keys and values see what heads of their own would with the same kernels.
TEST(DenseAttention, SharedHeadsHaveTheBitsOfHeadsWithTheSameKernels) {
  const auto shared = test::layer_of(
      "GroupQueryAttention",
      {{"head_dim", 2}, {"num_query_heads", 4}, {"num_key_value_heads", 2}, {"use_bias", false}});
  const auto own =
      test::layer_of("MultiHeadAttention", {{"num_heads", 4}, {"key_dim", 2}, {"use_bias", false}});
  test::LayerRun first(*shared, {{3, 5}, {4, 6}}, 2), second(*own, {{3, 5}, {4, 6}}, 2);
  for (std::size_t i = 0; i < 4; ++i) {
    auto& of_shared = shared->parameters()[i].value;
    auto& of_own = own->parameters()[i].value;
    for (std::size_t j = 0; j < of_shared.size(); ++j)
      of_shared[j] = 0.1f * static_cast<float>((7 * j + i) % 11) - 0.5f;
    const bool is_shared = i == 1 || i == 2;
    for (std::size_t j = 0; j < of_own.size(); ++j) {
      const std::size_t input = j / 8, head = j / 2 % 4, feature = j % 2;
      of_own[j] = of_shared[is_shared ? input * 4 + head / 2 * 2 + feature : j];
    }
  }
  for (const std::size_t input : {0u, 1u}) {
    auto& x = first.x(input);
    for (std::size_t j = 0; j < x.size(); ++j) x[j] = 0.1f * static_cast<float>(5 * j % 13) - 0.6f;
    second.x(input) = x;
  }
  EXPECT_EQ(first.forward(), second.forward());
}

TEST(DenseAttention, RefusesByNameWhatItLacks) {
  const ordered_json groups = {{"head_dim", 2}, {"num_query_heads", 4}, {"num_key_value_heads", 2}};
  const auto refusal = [&](const ordered_json& more) {
    ordered_json config = groups;
    config.update(more);
    return test::refusal_of("GroupQueryAttention", config);
  };
  EXPECT_THAT(refusal(ordered_json::object()), HasSubstr("expected two inputs or more, got 1"));
  EXPECT_THAT(refusal({{"num_key_value_heads", 3}}),
              HasSubstr("num_key_value_heads: expected a divisor of 4 heads of the query, got 3"));
  EXPECT_THAT(refusal({{"sliding_window", 2}}), HasSubstr("sliding_window: expected null"));
  EXPECT_THAT(test::refusal_of("Attention", {{"score_mode", "cosine"}}), HasSubstr("score_mode"));
  EXPECT_THAT(test::refusal_of("Attention", {{"dropout", 2}}), HasSubstr("dropout"));
  EXPECT_THAT(test::refusal_of("Attention", {{"causal", true}}), HasSubstr("causal"));
  EXPECT_THAT(test::refusal_of("AdditiveAttention", {{"score_mode", "concat"}}),
              HasSubstr("score_mode"));
  const auto expect_refused = [](const std::vector<Shape>& inputs, const std::string& message) {
    for (const char* class_name : {"Attention", "AdditiveAttention"}) {
      const auto layer = test::layer_of(class_name, ordered_json::object());
      layer->set_name("a");
      expect_error(
          ExitCode::kBadData, [&] { test::LayerRun(*layer, inputs, 1); },
          HasSubstr("[a] " + message));
    }
  };
  expect_refused({{3, 4}, {3}}, "expected inputs (None, positions, features), got (None, 3)");
  expect_refused({{3, 4}, {3, 5}},
                 "expected a query and a key of 4 features, and a value and a key of as many");
  expect_refused({{3, 4}, {2, 4}, {3, 4}}, "expected a query and a key of 4 features");
  expect_refused({{3, 4}, {3, 4}, {3, 4}, {3, 4}},
                 "expected a query, a value and at most a key, got 4 inputs");
}

}  // namespace
}  // namespace lockstep
