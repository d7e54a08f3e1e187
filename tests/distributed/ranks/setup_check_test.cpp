#include "distributed/ranks/setup_check.hpp"

#include <limits>

#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::expect_collective_error;
using test::TinyData;
using test::world;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class CheckData : public testing::Test {
 protected:
  void check() { check_data(communicator_, model_, data_.view(), "file:/x", "file:/y"); }

  const Communicator communicator_ = world();
  const Network model_ = test::classifier(4, 5, 3);
  TinyData data_ = test::classified_rows(10, 4, 3);
};

TEST_F(CheckData, AcceptsWhatTheNetworkTakes) {
  EXPECT_NO_THROW(check());
}

TEST_F(CheckData, AcceptsFewerRowsThanRanks) {
  data_ = test::classified_rows(1, 4, 3);
  EXPECT_NO_THROW(check());
}

TEST_F(CheckData, CountsNumbersThatAreNotFiniteAndNamesTheFirstRow) {
  data_.x[4 * 7 + 1] = kNan;
  data_.x[4 * 7 + 2] = kNan;
  data_.x[4 * 9] = kInfinity;
  expect_collective_error(communicator_, ExitCode::kBadData,
                          {"file:/x", "finite", "nan", "3 values", "row 7"}, [&] { check(); });
}

TEST_F(CheckData, FindsOneBadNumberInTheFirstRow) {
  data_.x[0] = -kInfinity;
  expect_collective_error(communicator_, ExitCode::kBadData, {"-inf", "1 value,", "row 0"},
                          [&] { check(); });
}

TEST_F(CheckData, RefusesLabelsOutOfRange) {
  data_.y[2] = 3;
  data_.y[8] = -1;
  expect_collective_error(communicator_, ExitCode::kBadData,
                          {"file:/y", "from 0 to 2", "3", "2 values", "row 2"}, [&] { check(); });
}

TEST_F(CheckData, RefusesLabelsThatAreNoIntegers) {
  data_.y[9] = 0.5f;
  expect_collective_error(communicator_, ExitCode::kBadData, {"0.5", "row 9"}, [&] { check(); });
}

TEST_F(CheckData, RefusesShapesThatDoNotFit) {
  data_ = test::classified_rows(10, 5, 3);
  expect_collective_error(communicator_, ExitCode::kBadData, {"file:/x", "4", "5"},
                          [&] { check(); });
}

TEST_F(CheckData, RefusesMoreRowsInXThanInY) {
  data_.y.pop_back();
  expect_collective_error(communicator_, ExitCode::kBadData, {"file:/x", "file:/y", "10 and 9"},
                          [&] { check(); });
}

TEST_F(CheckData, LooksForNanInTargetsThatAreNumbers) {
  const Network model = test::linear_network(3, "mse", 0.1);
  TinyData data = test::unit_rows({1, 2, kNan});
  expect_collective_error(communicator_, ExitCode::kBadData, {"targets", "nan", "row 2"}, [&] {
    check_data(communicator_, model, data.view(), "rows", "targets");
  });
}

TEST(CheckSameEverywhere, AcceptsEqualValues) {
  EXPECT_NO_THROW(check_same_everywhere(world(), "seed", "42"));
}

TEST(CheckSameEverywhere, NamesTheFirstRankThatDiffers) {
  const Communicator communicator = world();
  for (int differing = 1; differing < communicator.size(); ++differing)
    expect_collective_error(communicator, ExitCode::kDisagreement,
                            {"seed", "42 on rank 0", fmt::format("43 on rank {}", differing)}, [&] {
                              check_same_everywhere(communicator, "seed",
                                                    communicator.rank() >= differing ? "43" : "42");
                            });
}

TEST(HashOf, ChangesWithEveryValueTypeAndShape) {
  const TinyData data = test::classified_rows(6, 4, 3);
  TinyData other_x = data;
  other_x.x.back() += 1;
  TinyData other_y = data;
  other_y.y.front() += 1;
  TinyData other_shape = data;
  other_shape.x_shape = {2, 2};

  const std::string hash = hash_of(data.view());

  EXPECT_EQ(hash_of(TinyData(data).view()), hash);
  EXPECT_NE(hash_of(other_x.view()), hash);
  EXPECT_NE(hash_of(other_y.view()), hash);
  EXPECT_NE(hash_of(other_shape.view()), hash);
}

}  // namespace
}  // namespace lockstep
