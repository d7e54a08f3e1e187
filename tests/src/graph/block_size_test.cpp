#include "src/graph/block_size.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "src/layers/dense.hpp"

namespace lockstep {
namespace {

/// Dense layers over some positions; a row of 64 positions leaves 2 * 64 * 32 floats in each.
struct Chain {
  Dense first{32}, second{32};
  Graph graph;

  explicit Chain(std::int64_t positions) {
    first.set_name("first"), second.set_name("second");
    std::size_t value = graph.add_input({positions, 32});
    value = first.apply(graph, {&value, 1});
    graph.finish({second.apply(graph, {&value, 1})});
  }
  std::int64_t block(std::int64_t grain_rows, std::int64_t grains, std::int64_t cache) const {
    return choose_block_grains(graph, Aim(), graph.ops(), grain_rows, grains, cache);
  }
};
constexpr std::int64_t kBytesOfRow = 2 * (2 * 64 * 32) * 4;

TEST(ChooseBlockGrains, TakesThePowerOfTwoThatFitsTheCache) {
  const Chain chain(64);
  EXPECT_EQ(chain.block(1, 100, 8 * kBytesOfRow), 8);
  EXPECT_EQ(chain.block(1, 100, 8 * kBytesOfRow - 1), 4);
  EXPECT_EQ(chain.block(1, 100, 15 * kBytesOfRow), 8);
  EXPECT_EQ(chain.block(4, 100, 8 * kBytesOfRow), 2);
  EXPECT_EQ(chain.block(4, 100, 2 * kBytesOfRow), 1);  // not less than a grain
}

TEST(ChooseBlockGrains, TakesAllRowsTogetherIfTheyFitTheCache) {
  const Chain chain(64);
  EXPECT_EQ(chain.block(1, 8, 8 * kBytesOfRow), 0);
  EXPECT_EQ(chain.block(1, 12, 12 * kBytesOfRow), 0);
  EXPECT_EQ(chain.block(1, 9, 8 * kBytesOfRow), 8);
  EXPECT_EQ(chain.block(1, 1, kBytesOfRow - 1), 0);  // one grain
}

TEST(ChooseBlockGrains, ReadsTheParametersOncePerBlockOnlyIfTheyAreFewer) {
  const Chain chain(1);  // of which a row has 128 floats, and the parameters 2112
  constexpr std::int64_t kFloats = 2 * 2 * 32;
  EXPECT_EQ(chain.block(1, 1000, 32 * 4 * kFloats), 0);
  EXPECT_EQ(chain.block(1, 1000, 64 * 4 * kFloats), 64);
}

}  // namespace
}  // namespace lockstep
