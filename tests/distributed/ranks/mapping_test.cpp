#include "distributed/ranks/mapping.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/files/posix_file.hpp"
#include "tests/support/limits.hpp"

namespace lockstep {
namespace {

using test::Limit;
using test::mapped_bytes;

constexpr std::size_t kMiB = 1 << 20;

TEST(CanMap, SaysWhatTheLimitsAllow) {
  EXPECT_TRUE(can_map(0));
  EXPECT_TRUE(can_map(64 * kMiB));
  EXPECT_FALSE(can_map(std::size_t{1} << 60));
}

TEST(CanMap, KnowsTheLimitOfAddressSpace) {
  const Limit limit(RLIMIT_AS, mapped_bytes() + 64 * kMiB);
  EXPECT_TRUE(can_map(16 * kMiB));
  EXPECT_FALSE(can_map(64 * kMiB));
}

TEST(CanMap, KnowsTheLimitOfFileSizes) {
  const Limit limit(RLIMIT_FSIZE, 64 * kMiB);
  EXPECT_TRUE(can_map(16 * kMiB));
  EXPECT_FALSE(can_map(64 * kMiB));
}

TEST(CanMap, KnowsTheLimitOfDescriptors) {
  const Limit limit(RLIMIT_NOFILE, 1);
  EXPECT_FALSE(can_map(kMiB));
}

/// A file in shared memory that is mapped further than it reaches: what lies behind its end answers
/// as a page for which the file system has no room.
class Populate : public testing::TestWithParam<std::error_code (*)(std::span<std::byte>)> {
 protected:
  static constexpr std::size_t kPages = 8;
  void SetUp() override {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    ASSERT_GE(file_.get(), 0);
    ASSERT_EQ(ftruncate(file_.get(), static_cast<off_t>(kPages / 2 * page)), 0);
    void* const memory =
        mmap(nullptr, kPages * page, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    memory_ = {static_cast<std::byte*>(memory), kPages * page};
  }
  void TearDown() override { munmap(memory_.data(), memory_.size()); }

  FileDescriptor file_{memfd_create("populate", 0)};
  std::span<std::byte> memory_;
};

TEST_P(Populate, TouchesWhatIsThere) {
  const auto there = memory_.first(memory_.size() / 2);
  EXPECT_FALSE(GetParam()(there));
  EXPECT_EQ(there[there.size() - 1], std::byte{0});
}

TEST_P(Populate, AnswersWhereAWriteWouldEndTheProcess) {
  EXPECT_TRUE(GetParam()(memory_));
  EXPECT_TRUE(GetParam()(memory_.last(memory_.size() / 4)));
}

TEST_P(Populate, TakesNothing) {
  EXPECT_FALSE(GetParam()({}));
}

INSTANTIATE_TEST_SUITE_P(Ways, Populate, testing::Values(&populate, &populate_by_reading));

}  // namespace
}  // namespace lockstep
