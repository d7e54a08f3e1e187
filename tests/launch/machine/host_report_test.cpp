#include "launch/machine/host_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::vector<int> kFour = {0, 1, 2, 3};

/// Ranks of one host with four cores, each bound to one of `bindings`.
std::vector<RankPlace> ranks_on_four_cores(const std::vector<std::vector<int>>& bindings) {
  std::vector<RankPlace> places;
  for (const std::vector<int>& bound : bindings) places.push_back({0, "n1", bound, kFour});
  return places;
}

TEST(CoreList, WritesRangesAndReadsThemBack) {
  for (const std::vector<int>& cores :
       std::vector<std::vector<int>>{{}, {0}, {0, 1, 2, 3}, {0, 2, 3, 8}, {5, 7, 9, 10}}) {
    EXPECT_EQ(parse_core_list(core_list(cores)), cores) << core_list(cores);
  }
  EXPECT_EQ(core_list({0, 1, 2, 3, 8}), "0-3,8");
}

TEST(SharedCores, SaysNothingIfEveryRankHasCoresOfItsOwn) {
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({{0}, {1}, {2}}), 1, ""), IsEmpty());
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({kFour, kFour, kFour, kFour}), 1, ""),
              IsEmpty());
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({{0, 1}, {2, 3}}), 2, ""), IsEmpty());
}

TEST(SharedCores, GivesTheBoundRankItsCoreFirst) {
  // A greedy assignment would give core 0 to the first rank and leave none to the second.
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({{0, 1}, {0}}), 1, ""), IsEmpty());
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({{0, 1}, {0}, {1}}), 1, ""),
              HasSubstr("bound to 2 cores (core 0-1)"));
}

TEST(SharedCores, FindsTwoRanksBoundToOneCoreWhileOthersAreFree) {
  const auto places = ranks_on_four_cores({{2}, {2}});
  EXPECT_THAT(shared_cores_warning(places, 1, "mpirun of Open MPI"),
              AllOf(HasSubstr("2 ranks"), HasSubstr("host n1"), HasSubstr("core 2"),
                    HasSubstr("mpirun --bind-to core --map-by core"), HasSubstr("--bind-to none"),
                    Not(HasSubstr("oversubscribed"))));
  EXPECT_THAT(shared_cores_warning(places, 1, "srun"), HasSubstr("--cpu-bind=cores"));
  EXPECT_THAT(shared_cores_warning(places, 1, "mpiexec of MPICH"), HasSubstr("-bind-to core:1"));
}

TEST(SharedCores, FindsThreadsThatABindingLeavesNoCoresFor) {
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({{0}, {1}}), 2, ""),
              HasSubstr("--map-by slot:PE=2"));
}

TEST(SharedCores, NamesOversubscription) {
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({kFour, kFour, kFour, kFour, kFour}), 1, ""),
              AllOf(HasSubstr("5 ranks"), HasSubstr("4 cores"), HasSubstr("oversubscribed")));
}

TEST(SharedCores, NamesTheThreadsThatFit) {
  EXPECT_THAT(shared_cores_warning(ranks_on_four_cores({kFour, kFour}), 3, ""),
              AllOf(HasSubstr("2 ranks of 3 threads each"), HasSubstr("--threads 2")));
}

TEST(SharedCores, LooksAtEachHostForItself) {
  std::vector<RankPlace> places = {{0, "n1", {0}, kFour}, {1, "n2", {0}, kFour}};
  EXPECT_THAT(shared_cores_warning(places, 1, ""), IsEmpty());

  for (const int host : {0, 1, 1}) places.push_back({host, host == 0 ? "n1" : "n2", {0}, kFour});
  EXPECT_THAT(shared_cores_warning(places, 1, ""),
              AllOf(HasSubstr("2 ranks on host n1 are bound to 1 core"),
                    HasSubstr("and the like on 1 host")));
}

}  // namespace
}  // namespace lockstep
