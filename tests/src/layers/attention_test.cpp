#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/elementary.hpp"
#include "src/core/random.hpp"
#include "src/layers/attention_op.hpp"
#include "src/layers/multi_head_attention.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

/// The core op alone, applied to query, value and key.
class Core final : public Layer {
 public:
  explicit Core(const AttentionShape& shape) : shape_(shape) {}
  std::string class_name() const override { return "Core"; }
  bool merges() const override { return true; }
  ordered_json config() const override { return {}; }
  std::vector<Shape> inputs() const {
    return {{shape_.queries, shape_.heads * shape_.key_dim},
            {shape_.keys, shape_.heads * shape_.key_dim},
            {shape_.keys, shape_.heads * shape_.value_dim}};
  }

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    return graph.add(make_attention_op(shape_, random_key()), {inputs.begin(), inputs.end()},
                     {shape_.queries, shape_.heads * shape_.value_dim});
  }
  AttentionShape shape_;
};

/// Odd sizes, one position, many queries, wide heads.
const std::array kShapes = {
    AttentionShape{
        .queries = 3, .keys = 5, .heads = 2, .key_dim = 3, .value_dim = 2, .scale = 0.6f},
    AttentionShape{.queries = 1, .keys = 1, .heads = 1, .key_dim = 1, .value_dim = 1},
    AttentionShape{
        .queries = 4, .keys = 4, .heads = 3, .key_dim = 1, .value_dim = 5, .causal = true},
    AttentionShape{.queries = 67, .keys = 3, .heads = 1, .key_dim = 17, .value_dim = 1, .scale = 2},
    AttentionShape{
        .queries = 70, .keys = 70, .heads = 2, .key_dim = 2, .value_dim = 3, .causal = true},
    AttentionShape{
        .queries = 2, .keys = 5, .heads = 1, .key_dim = 2, .value_dim = 2, .causal = true},
    AttentionShape{
        .queries = 6, .keys = 2, .heads = 1, .key_dim = 2, .value_dim = 2, .causal = true}};

Floats random_floats(std::size_t count, std::uint32_t stream) {
  const RandomStream random(7, Purpose::kSynthetic, stream);
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// y, dq, dk, dv of one sample by their definitions, element by element.
struct Expected {
  Expected(const AttentionShape& s, const Floats& q, const Floats& k, const Floats& v,
           const Floats& dy) {
    y.resize(dy.size()), dq.resize(q.size()), dk.resize(k.size()), dv.resize(v.size());
    Floats scaled = q;
    for (float& value : scaled) value *= s.scale;
    const auto at = [&](std::int64_t position, std::int64_t head, std::int64_t feature,
                        std::int64_t features) {
      return static_cast<std::size_t>((position * s.heads + head) * features + feature);
    };
    for (std::int64_t head = 0; head < s.heads; ++head) {
      const auto score = [&](std::int64_t t, std::int64_t u) {
        return static_cast<std::size_t>(t * s.keys + u);
      };
      Floats p(static_cast<std::size_t>(s.queries * s.keys)), ds = p;
      for (std::int64_t t = 0; t < s.queries; ++t) {
        const std::int64_t seen = s.causal ? std::min(t + 1, s.keys) : s.keys;
        float top = -std::numeric_limits<float>::infinity(), sum = 0, dot = 0;
        for (std::int64_t u = 0; u < seen; ++u) {
          float& value = p[score(t, u)];
          for (std::int64_t i = 0; i < s.key_dim; ++i)
            value =
                std::fma(scaled[at(t, head, i, s.key_dim)], k[at(u, head, i, s.key_dim)], value);
          top = std::max(top, value);
        }
        for (std::int64_t u = 0; u < seen; ++u)
          sum += p[score(t, u)] = elementary::exp(p[score(t, u)] - top);
        for (std::int64_t u = 0; u < seen; ++u) p[score(t, u)] /= sum;
        for (std::int64_t i = 0; i < s.value_dim; ++i)
          for (std::int64_t u = 0; u < s.keys; ++u) {
            float& value = y[at(t, head, i, s.value_dim)];
            value = std::fma(p[score(t, u)], v[at(u, head, i, s.value_dim)], value);
          }
        for (std::int64_t u = 0; u < s.keys; ++u) {
          float& value = ds[score(t, u)];
          for (std::int64_t i = 0; i < s.value_dim; ++i)
            value =
                std::fma(v[at(u, head, i, s.value_dim)], dy[at(t, head, i, s.value_dim)], value);
          dot += value * p[score(t, u)];
        }
        for (std::int64_t u = 0; u < s.keys; ++u)
          ds[score(t, u)] = p[score(t, u)] * (ds[score(t, u)] - dot);
        for (std::int64_t i = 0; i < s.key_dim; ++i) {
          float& value = dq[at(t, head, i, s.key_dim)];
          for (std::int64_t u = 0; u < s.keys; ++u)
            value = std::fma(ds[score(t, u)], k[at(u, head, i, s.key_dim)], value);
          value *= s.scale;
        }
        for (std::int64_t u = 0; u < s.keys; ++u) {
          for (std::int64_t i = 0; i < s.value_dim; ++i) {
            float& value = dv[at(u, head, i, s.value_dim)];
            value = std::fma(p[score(t, u)], dy[at(t, head, i, s.value_dim)], value);
          }
          for (std::int64_t i = 0; i < s.key_dim; ++i) {
            float& value = dk[at(u, head, i, s.key_dim)];
            value = std::fma(ds[score(t, u)], scaled[at(t, head, i, s.key_dim)], value);
          }
        }
      }
    }
  }
  Floats y, dq, dk, dv;
};

TEST(AttentionOp, IsItsDefinitionBitForBit) {
  for (const AttentionShape& shape : kShapes) {
    SCOPED_TRACE(fmt::format("{} queries, {} keys", shape.queries, shape.keys));
    Core layer(shape);
    test::LayerRun run(layer, layer.inputs(), 1);
    for (std::size_t i = 0; i < 3; ++i)
      run.x(i) = random_floats(run.x(i).size(), static_cast<std::uint32_t>(i));
    const Floats y = run.forward(), dy = random_floats(y.size(), 9);
    const Expected expected(shape, run.x(0), run.x(1), run.x(2), dy);
    EXPECT_EQ(y, expected.y);
    run.backward(dy);
    EXPECT_EQ(run.dx(0), expected.dq);
    EXPECT_EQ(run.dx(1), expected.dk);
    EXPECT_EQ(run.dx(2), expected.dv);
  }
}

TEST(AttentionOp, BackwardMatchesFiniteDifferences) {
  for (AttentionShape shape : kShapes) {
    if (shape.queries > 10) continue;
    Core layer(shape);
    test::expect_merged_gradients_match_finite_differences(layer, layer.inputs(), 2);
    shape.dropout = 0.4;
    Core dropping(shape);
    test::expect_merged_gradients_match_finite_differences(dropping, dropping.inputs(), 3);
  }
}

TEST(AttentionOp, DropsWeightsInTrainingAlone) {
  constexpr AttentionShape kShape{
      .queries = 50, .keys = 40, .heads = 2, .key_dim = 1, .value_dim = 1, .dropout = 0.25};
  const auto outputs = [&](const Pass& pass, bool inference = false) {
    Core layer(kShape);
    test::LayerRun run(layer, layer.inputs(), 2, pass, 0, inference);
    run.x(2).assign(run.x(2).size(), 1);
    return run.forward();
  };
  const Floats ones(200, 1);
  const auto expect_ones = [&](const Floats& y) {
    for (const float value : y) EXPECT_NEAR(value, 1, 1e-6f);
  };
  expect_ones(outputs({}));
  expect_ones(outputs({.training = true}, true));
  double sum = 0;
  const Floats dropped = outputs({.training = true, .seed = 3});
  for (const float value : dropped) sum += static_cast<double>(value) / 200;
  EXPECT_NEAR(sum, 1, 0.02);
  EXPECT_NE(dropped, ones);
  EXPECT_EQ(outputs({.training = true, .seed = 3}), dropped);
  EXPECT_NE(outputs({.training = true, .seed = 3, .step = 1}), dropped);
  EXPECT_NE(Floats(dropped.begin(), dropped.begin() + 100),
            Floats(dropped.begin() + 100, dropped.end()));
}

const ordered_json kConfig = {{"num_heads", 2}, {"key_dim", 3}};

TEST(MultiHeadAttention, BackwardMatchesFiniteDifferences) {
  const auto layer = test::layer_of("MultiHeadAttention", kConfig);
  test::expect_merged_gradients_match_finite_differences(*layer, {{3, 4}, {3, 4}}, 3);
  const auto other =
      test::layer_of("MultiHeadAttention",
                     {{"num_heads", 3}, {"key_dim", 1}, {"value_dim", 2}, {"use_bias", false}});
  test::expect_merged_gradients_match_finite_differences(*other, {{2, 5}, {3, 2}, {3, 4}}, 2);
}

TEST(MultiHeadAttention, GivesTheSameBitsInBlocks) {
  ordered_json config = kConfig;
  config["dropout"] = 0.3;
  for (const ordered_json& each : {kConfig, config}) {
    test::expect_the_same_bits_in_blocks("MultiHeadAttention", each, {{5, 7}, {4, 3}, {4, 2}});
    test::expect_the_same_bits_in_blocks("MultiHeadAttention", each, {{1, 1}, {1, 1}});
  }
}

TEST(MultiHeadAttention, MakesKerassParameters) {
  const auto layer =
      test::layer_of("MultiHeadAttention", {{"num_heads", 2}, {"key_dim", 3}, {"value_dim", 5}});
  test::LayerRun run(*layer, {{3, 7}, {2, 4}, {2, 6}}, 1);
  std::vector<std::string> parameters, stores;
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    const Parameter& parameter = layer->parameters()[i];
    parameters.push_back(parameter.path() + " " + to_string(parameter.shape));
    stores.push_back(layer->stores()[i]);
  }
  EXPECT_EQ(parameters, (std::vector<std::string>{
                            "query/kernel (7, 2, 3)", "query/bias (2, 3)", "key/kernel (6, 2, 3)",
                            "key/bias (2, 3)", "value/kernel (4, 2, 5)", "value/bias (2, 5)",
                            "attention_output/kernel (2, 5, 7)", "attention_output/bias (7)"}));
  EXPECT_EQ(stores[3], "key_dense/vars/1");
  EXPECT_EQ(stores[6], "output_dense/vars/0");
  EXPECT_EQ(run.output_shape(), (Shape{3, 7}));
}

TEST(MultiHeadAttention, WritesWhatItReads) {
  const ordered_json config = {{"num_heads", 2},
                               {"key_dim", 3},
                               {"value_dim", 4},
                               {"dropout", 0.25},
                               {"use_bias", false},
                               {"attention_axes", {1}},
                               {"kernel_initializer", "he_normal"},
                               {"bias_regularizer", "l1"}};
  const ordered_json written = test::layer_of("MultiHeadAttention", config)->config();
  for (const char* key : {"num_heads", "key_dim", "value_dim", "dropout", "use_bias"})
    EXPECT_EQ(written[key], config[key]) << key;
  EXPECT_EQ(written["kernel_initializer"]["class_name"], "HeNormal");
  EXPECT_EQ(test::layer_of("MultiHeadAttention", written)->config(), written);
}

TEST(MultiHeadAttention, RefusesWhatItLacks) {
  const auto refusal = [](const ordered_json& more) {
    ordered_json config = kConfig;
    config.update(more);
    return test::refusal_of("MultiHeadAttention", config);
  };
  EXPECT_THAT(refusal(ordered_json::object()),
              HasSubstr("[layer] expected two inputs or more, got 1"));
  EXPECT_THAT(refusal({{"num_heads", 0}}), HasSubstr("num_heads: expected"));
  EXPECT_THAT(refusal({{"dropout", 1.5}}), HasSubstr("dropout: expected a number from 0 to 1"));
  EXPECT_THAT(refusal({{"attention_axes", {2}}}), HasSubstr("attention_axes: expected [1]"));
  EXPECT_THAT(refusal({{"output_shape", 7}}), HasSubstr("output_shape: expected null, got 7"));
  EXPECT_THAT(refusal({{"use_gate", true}}), HasSubstr("use_gate: expected false"));
  EXPECT_THAT(refusal({{"sliding_window", 2}}), HasSubstr("sliding_window: expected null"));
  const auto expect_refused = [](const std::vector<Shape>& inputs, const std::string& message) {
    const auto layer = test::layer_of("MultiHeadAttention", kConfig);
    layer->set_name("mha");
    expect_error(
        ExitCode::kBadData, [&] { test::LayerRun(*layer, inputs, 1); },
        HasSubstr("[mha] " + message));
  };
  expect_refused({{3, 4}, {3}}, "expected inputs (None, positions, features), got (None, 3)");
  expect_refused(
      {{3, 4}, {2, 4}, {3, 4}},
      "expected a value and a key of as many positions, got (None, 2, 4) and (None, 3, 4)");
  expect_refused({{3, 4}, {3, 4}, {3, 4}, {3, 4}},
                 "expected a query, a value and at most a key, got 4 inputs");
}

}  // namespace
}  // namespace lockstep
