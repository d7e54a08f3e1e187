#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launch/machine/doctor_checks.hpp"
#include "launch/machine/machine.hpp"
#include "launch/machine/matrix_rate.hpp"
#include "src/core/system_files.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;

const Finding kCpu{Level::kOk, "CPU", "fast", ""};
const Finding kFull{Level::kWarn, "/dev/shm", "0.0 GiB free", "make room"};
const Finding kRoom{Level::kOk, "/dev/shm", "8.0 GiB free", ""};

TEST(Doctor, SaysOnceWhatAllHostsSay) {
  EXPECT_THAT(merge_hosts({{"n1", {kCpu, kRoom}}, {"n2", {kCpu, kRoom}}}),
              ElementsAre(kCpu, kRoom));
  EXPECT_TRUE(merge_hosts({}).empty());
}

TEST(Doctor, NamesTheHostsThatDiffer) {
  const auto merged =
      merge_hosts({{"n1", {kCpu, kRoom}}, {"n2", {kCpu, kFull}}, {"n3", {kCpu, kRoom}}});
  EXPECT_THAT(merged,
              ElementsAre(kCpu, Finding{Level::kOk, "/dev/shm", "n1, n3: 8.0 GiB free", ""},
                          Finding{Level::kWarn, "/dev/shm", "n2: 0.0 GiB free", "make room"}));
}

TEST(Doctor, ChecksADirectoryByWritingToIt) {
  const DirectoryCheck good = check_directory(testing::TempDir());
  EXPECT_TRUE(good.writable && good.hdf5_works) << good.reason;

  const DirectoryCheck bad = check_directory(testing::TempDir() + "no such directory");
  EXPECT_FALSE(bad.writable);
  EXPECT_EQ(bad.reason, "No such file or directory");
}

TEST(Doctor, EstimatesMoreFromWiderVectors) {
  EXPECT_EQ(operations_per_cycle("SkylakeX"), 2 * operations_per_cycle("Haswell"));
  EXPECT_GT(operations_per_cycle("Zen"), operations_per_cycle("Prescott"));
}

TEST(Doctor, FindsMemoryOnLinux) {
  ASSERT_TRUE(available_memory().has_value());
  EXPECT_GT(*available_memory(), 0);
  EXPECT_FALSE(space_on("/no such directory").has_value());
}

}  // namespace
}  // namespace lockstep
