#include "distributed/ranks/replica_check.hpp"

#include <bit>
#include <limits>

#include "src/core/float_buffer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::expect_collective_error;
using test::world;

void flip_lowest_bit(float& value) {
  value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ 1u);
}

/// Equal replicas of a network with Adam's two slots.
class CheckReplicas : public testing::Test {
 protected:
  CheckReplicas() {
    model_.initialize(3);
    for (std::size_t i = 0; i < 2; ++i)
      slots_.emplace_back(static_cast<std::size_t>(model_.arena().trainable_size()), 0.25f);
  }
  void check() {
    const std::vector<std::span<const float>> spans(slots_.begin(), slots_.end());
    check_replicas(model_, model_.objective(), spans, communicator_, "after step 12");
  }
  Parameter& kernel() { return model_.layers()[1]->parameters()[0]; }
  bool last() const { return communicator_.rank() == communicator_.size() - 1; }

  const Communicator communicator_ = world();
  Network model_ = test::classifier(4, 5, 3);
  std::vector<std::vector<float>> slots_;
};

TEST_F(CheckReplicas, PassesIfAllAreEqual) {
  EXPECT_NO_THROW(check());
}

TEST_F(CheckReplicas, FindsOneFlippedBitInAWeight) {
  if (last()) flip_lowest_bit(kernel().value[7]);
  if (communicator_.size() == 1) return check();
  expect_collective_error(
      communicator_, ExitCode::kNumerical,
      {"after step 12", "dense_1/kernel on rank " + std::to_string(communicator_.size() - 1)},
      [&] { check(); });
}

TEST_F(CheckReplicas, FindsOneFlippedBitInASlot) {
  if (last()) flip_lowest_bit(slots_[1][static_cast<std::size_t>(kernel().offset)]);
  if (communicator_.size() == 1) return check();
  expect_collective_error(
      communicator_, ExitCode::kNumerical,
      {"dense_1/kernel (Adam v) on rank " + std::to_string(communicator_.size() - 1)},
      [&] { check(); });
}

TEST_F(CheckReplicas, TrustsTheMajority) {
  if (communicator_.size() < 3) GTEST_SKIP() << "needs three ranks";
  if (communicator_.is_root()) flip_lowest_bit(kernel().value[0]);
  expect_collective_error(communicator_, ExitCode::kNumerical, {"dense_1/kernel on rank 0"},
                          [&] { check(); });
}

TEST_F(CheckReplicas, NamesAllRanksThatDiffer) {
  if (communicator_.size() < 4) GTEST_SKIP() << "needs four ranks";
  if (communicator_.rank() % 2 == 1) kernel().value[0] = static_cast<float>(communicator_.rank());
  expect_collective_error(communicator_, ExitCode::kNumerical, {"on rank 1, 3"}, [&] { check(); });
}

TEST_F(CheckReplicas, FindsNanAndInfinityOnOneRank) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    if (last()) model_.layers()[0]->parameters()[1].value[4] = bad;
    expect_collective_error(
        communicator_, ExitCode::kNumerical,
        {"finite", "dense/bias on rank " + std::to_string(communicator_.size() - 1)},
        [&] { check(); });
  }
}

TEST_F(CheckReplicas, TellsZeroFromMinusZero) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  kernel().value[0] = last() ? -0.0f : 0.0f;
  expect_collective_error(communicator_, ExitCode::kNumerical, {"dense_1/kernel"},
                          [&] { check(); });
}

TEST_F(CheckReplicas, AcceptsNumbersNearTheLargestFloat) {
  kernel().value[0] = std::numeric_limits<float>::max();
  kernel().value[1] = std::numeric_limits<float>::max();
  EXPECT_NO_THROW(check());
}

}  // namespace
}  // namespace lockstep
