#include "distributed/training/run_identity.hpp"

#include <numeric>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::world;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(RunIdentity, NamesEveryDifferenceWithBothValues) {
  const Facts there = {{"seed", "0"}, {"grain", "4"}, {"data", ""}, {"x", "\x1b[1m"}};
  const Facts here = {{"seed", "5"}, {"x", "d.h5"}, {"grain", "4"}, {"momentum", "0.9"}};

  EXPECT_THAT(differences(there, here),
              ElementsAre("seed 0 there, 5 here", "x \\x1b[1m there, d.h5 here",
                          "momentum not set there, 0.9 here", "data '' there, not set here"));
}

TEST(RunIdentity, FitsEverythingIfItIsNotKnown) {
  EXPECT_THAT(differences({}, {{"seed", "5"}}), IsEmpty());
  EXPECT_THAT(differences({{"seed", "5"}}, {}), IsEmpty());
  EXPECT_FALSE(RunIdentity().known());
}

TEST(RunIdentity, TakesADefaultForWhatItStandsFor) {
  const Network model = test::classifier(4, 6, 3);
  const TrainOptions defaults;
  TrainOptions same;
  same.grain = 8;
  same.validation_batch_size = 32;
  EXPECT_THAT(differences(trainer_facts(defaults, model), trainer_facts(same, model)), IsEmpty());
}

TEST(RunIdentity, IgnoresWhatDoesNotDecideTheResult) {
  const Network model = test::classifier(4, 6, 3);
  TrainOptions other;
  other.epochs = 9;
  other.sync = DistributedOptimizer::Strategy::kAllreduce;
  other.bucket_floats = 77;
  other.check_replicas_every = 1;
  other.validate_on_root = true;
  other.verify_data = false;
  other.profile = true;
  EXPECT_THAT(differences(trainer_facts({}, model), trainer_facts(other, model)), IsEmpty());
}

/// 3 MiB and some bytes: several blocks, of which some ranks may have none.
class DataFacts : public testing::Test {
 protected:
  DataFacts() : x_(800'001), y_(800'001) { std::iota(x_.begin(), x_.end(), 0.0f); }
  Facts facts(const Communicator& communicator) const {
    return data_facts(communicator, {array_view<float>(x_, {}), array_view<float>(y_, {})}, "x",
                      "y");
  }

  std::vector<float> x_;
  std::vector<float> y_;
};

TEST_F(DataFacts, DoNotDependOnTheNumberOfRanks) {
  const Facts together = facts(world());
  EXPECT_EQ(together, facts(test::alone()));
  test::expect_same_everywhere(world(), together[0].second + together[1].second);
  EXPECT_THAT(together[0].second, testing::StartsWith("800001 rows of float32 (), hash "));
}

TEST_F(DataFacts, TellAnyChangedValueAndAnyOrder) {
  const Facts before = facts(world());
  for (const std::size_t at : {0u, 262'144u, 400'000u, 800'000u}) {
    x_[at] += 0.5f;
    EXPECT_NE(facts(world())[0].second, before[0].second) << at;
    EXPECT_EQ(facts(world())[1].second, before[1].second) << at;
    x_[at] -= 0.5f;
  }
  std::swap_ranges(x_.begin(), x_.begin() + 262'144, x_.begin() + 262'144);  // two whole blocks
  EXPECT_NE(facts(world())[0].second, before[0].second);
}

}  // namespace
}  // namespace lockstep
