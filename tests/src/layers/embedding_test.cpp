#include "src/layers/embedding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/graph/grain_sums.hpp"
#include "src/layers/embedding_op.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

Floats random_floats(std::int64_t count, std::uint32_t stream) {
  const RandomStream random(7, Purpose::kSynthetic, stream);
  Floats values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// Some tokens often, some once, some never.
Floats random_ids(std::int64_t count, std::int64_t tokens, std::uint32_t stream) {
  Floats ids = random_floats(count, stream);
  for (float& id : ids) id = std::floor(id * id * static_cast<float>(tokens));
  return ids;
}

/// An op alone, with its rows.
struct EmbeddingRun {
  EmbeddingRun(std::int64_t tokens, std::int64_t features, std::int64_t rows,
               std::int64_t positions)
      : table{.name = "embeddings",
              .shape = {tokens, features},
              .initializer = {},
              .regularizer = {}},
        weights(random_floats(tokens * features, 1)),
        ids(random_ids(rows * positions, tokens, 2)),
        y(static_cast<std::size_t>(rows * positions * features)),
        dy(random_floats(rows * positions * features, 3)),
        rows_at{{0, rows}, {}, 0} {
    table.value = weights;
    op = make_embedding_op(&table, positions, "embedding");
    places.x = {{ids.data(), positions, Scope::kRank}};
    places.y = {y.data(), positions * features, Scope::kRank};
    places.dy = {dy.data(), positions * features, Scope::kRank};
    places.dx = {{}};
  }
  OpValues values() const { return {places, rows_at}; }

  Parameter table;
  Floats weights, ids, y, dy;
  std::unique_ptr<Op> op;
  OpPlaces places;
  Rows rows_at;
};

TEST(Embedding, TakesTheRowsThatIdsName) {
  Embedding layer(4, 2);
  test::LayerRun run(layer, {{3}}, 2);
  std::ranges::copy(Floats{0, 1, 10, 11, 20, 21, 30, 31}, layer.parameters()[0].value.begin());
  run.x() = {3, 0, 3, 1, 2, 2};
  EXPECT_EQ(run.forward(), (Floats{30, 31, 0, 1, 30, 31, 10, 11, 20, 21, 20, 21}));
  EXPECT_EQ(run.output_shape(), (Shape{3, 2}));
  run.backward({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  EXPECT_EQ(run.gradient(0), (Floats{3, 4, 7, 8, 20, 22, 6, 8}));
  EXPECT_EQ(run.dx(), Floats(6, 0));
}

/// Every element by its definition, for parts of the table, several subtrees and odd grains.
TEST(Embedding, GradientIsAChainOfEachGrainAndGrainsByTheTree) {
  constexpr std::int64_t kRows = 23, kPositions = 3;
  for (const std::int64_t features : {1, 5, 67, 130}) {
    for (const std::int64_t tokens : {1, 3, 40}) {
      EmbeddingRun run(tokens, features, kRows, kPositions);
      const std::array<Range, 3> samples{Range{0, 4}, Range{4, 4}, Range{4, kRows}};
      const std::int64_t all = tokens * features;
      const Subtrees subtrees{.samples = samples, .grain = 2, .stride = all + 3};
      Floats expected(static_cast<std::size_t>(3 * (all + 3)));
      sum_grains(subtrees, {0, all}, expected.data(), [&](Range rows, Range some, float* sums) {
        for (std::int64_t i = rows.first * kPositions; i < rows.last * kPositions; ++i)
          for (std::int64_t k = some.first; k < some.last; ++k)
            if (k / features == static_cast<std::int64_t>(run.ids[static_cast<std::size_t>(i)]))
              sums[k - some.first] += run.dy[static_cast<std::size_t>(i * features + k % features)];
      });
      SCOPED_TRACE(fmt::format("{} features, {} tokens", features, tokens));
      for (const std::int64_t cut : {std::int64_t{0}, all / 3, all / 2, all}) {
        Floats low(expected.size(), -7), high = low;
        run.op->gradient({}, run.values(), subtrees, 0, {0, cut}, low.data());
        run.op->gradient({}, run.values(), subtrees, 0, {cut, all}, high.data() + cut);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const std::int64_t element = static_cast<std::int64_t>(i) % subtrees.stride;
          const float outside = -7;
          EXPECT_EQ(low[i], element < cut ? expected[i] : outside) << i;
          EXPECT_EQ(high[i], element >= cut && element < all ? expected[i] : outside) << i;
        }
      }
    }
  }
}

TEST(Embedding, GivesTheSameBitsInBlocks) {
  constexpr std::int64_t kRows = 11;
  std::vector<Floats> results;
  for (const std::int64_t block_grains : {0, 1, 2, 4}) {
    Embedding layer(7, 5);
    test::LayerRun run(layer, {{3, 2}}, kRows, {.training = true}, block_grains);
    std::ranges::copy(random_floats(35, 4), layer.parameters()[0].value.begin());
    run.x() = random_ids(kRows * 6, 7, 5);
    Floats all = run.forward();
    run.backward(random_floats(kRows * 30, 6));
    const Floats gradient = run.gradient(0);
    all.insert(all.end(), gradient.begin(), gradient.end());
    results.push_back(std::move(all));
  }
  EXPECT_THAT(results, testing::Each(results[0]));
}

TEST(Embedding, RefusesWhatIsNoId) {
  for (const float id : {-1.0f, 4.0f, 1.5f, std::nanf("")}) {
    EmbeddingRun run(4, 2, 3, 2);
    run.ids = {0, 1, 2, id, 3, 3};
    run.rows_at.batch_row = 10;
    expect_error(
        ExitCode::kBadData, [&] { run.op->forward({}, run.values()); },
        HasSubstr(fmt::format("[embedding] expected token ids from 0 to 3, got {} in row 11 of "
                              "the batch, position 1",
                              id)));
  }
}

TEST(Embedding, SaysWhatTheInputMustHold) {
  const auto limits = [](const std::string& layers) {
    const Network model = model_from_layers_text(layers);
    std::vector<std::string> all;
    for (const Indices& indices : model.graph().input_indices())
      all.push_back(fmt::format("{} {}", indices.layer, indices.limit));
    return all;
  };
  EXPECT_EQ(limits("Input((2, 3)), Flatten(), Embedding(9, 2), Flatten(), Dense(2)"),
            std::vector<std::string>{"embedding 9"});
  EXPECT_EQ(limits("Input(3), Rescaling(2), Embedding(9, 2), Flatten(), Dense(2)"),
            std::vector<std::string>{});
}

TEST(Embedding, WritesWhatItReads) {
  const ordered_json config = {{"input_dim", 5},
                               {"output_dim", 3},
                               {"embeddings_initializer", "zeros"},
                               {"embeddings_regularizer", "l2"},
                               {"mask_zero", true},
                               {"input_length", 4}};
  const ordered_json written = test::layer_of("Embedding", config)->config();
  EXPECT_EQ(written["embeddings_initializer"]["class_name"], "Zeros");
  EXPECT_EQ(written["embeddings_regularizer"]["class_name"], "L2");
  EXPECT_EQ(written["mask_zero"], true);
  EXPECT_EQ(test::layer_of("Embedding", written)->config(), written);
  EXPECT_EQ(
      Embedding(2, 3).config()["embeddings_initializer"].dump(),
      R"({"class_name":"RandomUniform","config":{"minval":-0.05,"maxval":0.05,"seed":null}})");
}

TEST(Embedding, RefusesWhatItLacks) {
  const auto refusal = [](const ordered_json& more) {
    ordered_json config = {{"input_dim", 5}, {"output_dim", 3}};
    config.update(more);
    return test::refusal_of("Embedding", config);
  };
  EXPECT_EQ(refusal(ordered_json::object()), "");
  EXPECT_THAT(refusal({{"input_dim", 0}}), HasSubstr("input_dim: expected"));
  EXPECT_THAT(refusal({{"input_dim", (1 << 24) + 1}}), HasSubstr("input_dim: expected"));
  EXPECT_THAT(refusal({{"output_dim", 1.5}}), HasSubstr("output_dim: expected"));
  EXPECT_THAT(refusal({{"lora_rank", 2}}), HasSubstr("lora_rank: expected null, got 2"));
  EXPECT_THAT(refusal({{"embeddings_constraint", "my_constraint"}}),
              HasSubstr("embeddings_constraint: expected null"));
}

TEST(Embedding, MasksTokenZeroIfItIsAskedTo) {
  for (const bool mask_zero : {false, true}) {
    Embedding layer(4, 2, {.mask_zero = mask_zero});
    test::LayerRun run(layer, {{3}}, 2);
    run.x() = {0, 3, 0, 1, 2, 3};
    run.forward();
    EXPECT_EQ(run.output_mask(),
              mask_zero ? (std::vector<float>{0, 1, 0, 1, 1, 1}) : std::vector<float>());
  }
}

}  // namespace
}  // namespace lockstep
