#include "src/layers/transformer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

const std::vector<std::string> kClasses = {"TransformerEncoder", "TransformerDecoder"};
const ordered_json kConfig = {{"intermediate_dim", 5}, {"num_heads", 2}, {"activation", "tanh"}};

ordered_json config_with(const ordered_json& more) {
  ordered_json config = kConfig;
  config.update(more);
  return config;
}

TEST(Transformer, BackwardMatchesFiniteDifferences) {
  for (const std::string& class_name : kClasses)
    for (const bool first : {false, true}) {
      SCOPED_TRACE(class_name);
      const auto config = config_with({{"normalize_first", first}, {"layer_norm_epsilon", 0.1}});
      const auto layer = test::layer_of(class_name, config);
      test::expect_gradients_match_finite_differences(*layer, {3, 4}, 2);
      const auto dropping = test::layer_of(class_name, config_with({{"dropout", 0.3}}));
      test::expect_gradients_match_finite_differences(*dropping, {2, 5}, 2);
    }
}

TEST(Transformer, GivesTheSameBitsInBlocks) {
  for (const std::string& class_name : kClasses) {
    test::expect_the_same_bits_in_blocks(class_name, config_with({{"dropout", 0.3}}), {{5, 7}});
    test::expect_the_same_bits_in_blocks(class_name, config_with({{"normalize_first", true}}),
                                         {{1, 2}});
  }
}

/// What the last position sees of the first one, and the first one of the last.
TEST(Transformer, IsCausalAsADecoderUnlessItsCallSaysOtherwise) {
  const auto reaches = [](const std::string& class_name, std::optional<bool> causal,
                          std::ptrdiff_t from, std::ptrdiff_t to) {
    const auto layer = test::layer_of(class_name, kConfig);
    test::LayerRun run(*layer, {{3, 4}}, 1, {}, 0, false, causal);
    for (Parameter& parameter : layer->parameters()) {
      const RandomStream random(5, Purpose::kSynthetic, 0);
      for (std::size_t i = 0; i < parameter.value.size(); ++i)
        parameter.value[i] = random.uniform(i) - 0.5f;
    }
    run.x() = {1, 2, 3, 5, 8, 1, 3, 4, 0, 2, 1, 1};
    const Floats before = run.forward();
    run.x()[static_cast<std::size_t>(4 * from)] += 1;
    const Floats after = run.forward();
    return !std::equal(after.begin() + 4 * to, after.begin() + 4 * (to + 1),
                       before.begin() + 4 * to);
  };
  EXPECT_TRUE(reaches("TransformerEncoder", {}, 2, 0));
  EXPECT_FALSE(reaches("TransformerDecoder", {}, 2, 0));
  EXPECT_TRUE(reaches("TransformerDecoder", {}, 0, 2));
  EXPECT_FALSE(reaches("TransformerDecoder", true, 2, 0));
  EXPECT_TRUE(reaches("TransformerDecoder", false, 2, 0));
}

TEST(Transformer, MakesKerasHubsParameters) {
  const auto names = [](const std::string& class_name) {
    const auto layer = test::layer_of(class_name, kConfig);
    test::LayerRun run(*layer, {{3, 6}}, 1);
    std::vector<std::string> all;
    for (std::size_t i = 0; i < layer->parameters().size(); ++i)
      all.push_back(fmt::format("{} {} {}", layer->parameters()[i].path(),
                                to_string(layer->parameters()[i].shape), layer->stores()[i]));
    return all;
  };
  const auto encoder = names("TransformerEncoder"), decoder = names("TransformerDecoder");
  ASSERT_EQ(encoder.size(), 16u);
  ASSERT_EQ(decoder.size(), 16u);
  EXPECT_EQ(encoder[2],
            "self_attention_layer/key/kernel (6, 2, 3) _self_attention_layer/key_dense/vars/0");
  EXPECT_EQ(encoder[9], "self_attention_layer_norm/beta (6) _self_attention_layer_norm/vars/1");
  EXPECT_EQ(encoder[10], "feedforward_layer_norm/gamma (6) _feedforward_layer_norm/vars/0");
  EXPECT_EQ(encoder[12],
            "feedforward_intermediate_dense/kernel (6, 5) _feedforward_intermediate_dense/vars/0");
  EXPECT_EQ(decoder[7],
            "self_attention/attention_output/bias (6) _self_attention_layer/output_dense/vars/1");
  EXPECT_EQ(decoder[12], "feedforward_output_dense/kernel (5, 6) _feedforward_output_dense/vars/0");
  EXPECT_EQ(decoder[15], "feedforward_layer_norm/beta (6) _feedforward_layer_norm/vars/1");
}

TEST(Transformer, WritesWhatItReads) {
  const ordered_json config = {{"intermediate_dim", 5},
                               {"num_heads", 2},
                               {"dropout", 0.25},
                               {"activation", "gelu"},
                               {"layer_norm_epsilon", 0.5},
                               {"kernel_initializer", "he_normal"},
                               {"bias_initializer", "ones"},
                               {"normalize_first", true}};
  for (const std::string& class_name : kClasses) {
    const ordered_json written = test::layer_of(class_name, config)->config();
    for (const auto& [key, value] : config.items())
      if (!key.ends_with("initializer")) {
        EXPECT_EQ(written[key], value) << key;
      }
    EXPECT_EQ(written["kernel_initializer"]["class_name"], "HeNormal");
    EXPECT_EQ(written["bias_initializer"]["class_name"], "Ones");
    EXPECT_EQ(test::layer_of(class_name, written)->config(), written);
    const ordered_json defaults =
        test::layer_of(class_name, {{"intermediate_dim", 5}, {"num_heads", 2}})->config();
    EXPECT_EQ(defaults["activation"], "relu");
    EXPECT_EQ(defaults["layer_norm_epsilon"], 1e-5);
    EXPECT_EQ(defaults["normalize_first"], false);
  }
}

TEST(Transformer, RefusesWhatItLacks) {
  for (const std::string& class_name : kClasses) {
    const auto refusal = [&](const ordered_json& more, const Shape& input = {3, 4}) {
      return test::refusal_of(class_name, config_with(more), input);
    };
    EXPECT_EQ(refusal(ordered_json::object()), "");
    EXPECT_THAT(refusal(ordered_json::object(), {4}),
                HasSubstr("[layer] expected an input (None, positions, features)"));
    EXPECT_THAT(refusal(ordered_json::object(), {3, 1}),
                HasSubstr("of at least 2 features, as many as heads, got"));
    EXPECT_THAT(refusal({{"num_heads", 0}}), HasSubstr("num_heads: expected"));
    EXPECT_THAT(refusal({{"dropout", 2}}), HasSubstr("dropout: expected a number from 0 to 1"));
    EXPECT_THAT(refusal({{"use_gate", true}}), HasSubstr("use_gate"));
  }
  EXPECT_THAT(test::refusal_of("TransformerDecoder",
                               config_with({{"encoder_sequence_shape", {nullptr, 3, 4}}})),
              HasSubstr("encoder_sequence_shape: expected null"));
  const auto layer = test::layer_of("TransformerDecoder", kConfig);
  expect_error(
      ExitCode::kBadData,
      [&] {
        test::LayerRun(*layer, {{3, 4}, {3, 4}}, 1);
      },
      HasSubstr("[layer] expected one input, got 2"));
  const auto encoder = test::layer_of("TransformerEncoder", kConfig);
  expect_error(
      ExitCode::kBadData,
      [&] {
        test::LayerRun(*encoder, {{3, 4}}, 1, {}, 0, false, true);
      },
      HasSubstr("[layer] expected a call without use_causal_mask, got it"));
}

}  // namespace
}  // namespace lockstep
