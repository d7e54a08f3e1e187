#include "distributed/ranks/host_memory.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "src/core/memory.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using test::world;

TEST(HostMemory, ShowsEveryRankWhatTheOthersWrote) {
  const Communicator host = world().on_this_host();
  const auto ranks = static_cast<std::size_t>(host.size());
  HostMemory memory(host, ranks * 1000 + 3);
  ASSERT_EQ(memory.bytes().size(), ranks * 1000 + 3);
  if (!memory.shared()) GTEST_SKIP() << "this MPI has no shared windows";

  const auto mine = static_cast<std::size_t>(host.rank());
  std::memset(memory.bytes().data() + mine * 1000, host.rank() + 1, 1000);
  memory.synchronize();

  for (std::size_t rank = 0; rank < ranks; ++rank)
    for (std::size_t i = 0; i < 1000; ++i)
      ASSERT_EQ(memory.bytes()[rank * 1000 + i], static_cast<std::byte>(rank + 1));
}

TEST(HostMemory, SynchronizesAgainAfterFurtherWrites) {
  const Communicator host = world().on_this_host();
  HostMemory memory(host, sizeof(int));
  if (!memory.shared()) GTEST_SKIP() << "this MPI has no shared windows";
  for (int round = 1; round < 20; ++round) {
    if (host.rank() == round % host.size()) std::memcpy(memory.bytes().data(), &round, sizeof(int));
    memory.synchronize();
    int seen = 0;
    std::memcpy(&seen, memory.bytes().data(), sizeof(int));
    EXPECT_EQ(seen, round);
    memory.synchronize();
  }
}

TEST(HostMemory, StartsOnAPage) {
  const Communicator host = world().on_this_host();
  for (const std::size_t bytes : {1, 5000, 100'000}) {
    const HostMemory memory(host, bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.bytes().data()) % 4096, 0u);
  }
}

TEST(HostMemory, HasAPageBehindEachOfItsAddresses) {
  const Communicator host = world().on_this_host();
  const HostMemory memory(host, 16 << 20);
  if (!memory.shared()) GTEST_SKIP() << "this MPI has no shared windows";
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> there(memory.bytes().size() / page);
  ASSERT_EQ(mincore(memory.bytes().data(), memory.bytes().size(), there.data()), 0);
  EXPECT_THAT(there, testing::Each(testing::Truly([](unsigned char bits) { return bits & 1; })));
}

TEST(HostMemory, MayBeEmpty) {
  const Communicator host = world().on_this_host();
  HostMemory memory(host, 0);
  memory.synchronize();
  EXPECT_TRUE(memory.bytes().empty());
}

TEST(HostMemory, MovesWithItsBytes) {
  const Communicator host = world().on_this_host();
  HostMemory memory(host, 64);
  std::byte* const address = memory.bytes().data();
  const bool shared = memory.shared();

  const HostMemory moved(std::move(memory));

  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_EQ(moved.bytes().size(), 64u);
  EXPECT_EQ(moved.shared(), shared);
  moved.synchronize();
}

TEST(HostMemory, IsSharedByNobodyIfOneRankCannotMapIt) {
  const Communicator host = world().on_this_host();
  constexpr std::size_t kBytes = 64 << 20;
  for (const int rank : {0, host.size() - 1}) {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit lower{kBytes / 2, before.rlim_max};
    if (host.rank() == rank) setrlimit(RLIMIT_FSIZE, &lower);
    HostMemory memory(host, kBytes);
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_FALSE(memory.shared());
    EXPECT_TRUE(memory.bytes().empty());
    memory.use_own("a test");
    EXPECT_EQ(memory.bytes().size(), kBytes);
    memory.synchronize();
  }
}

TEST(HostMemory, SaysWhatItHasNoMemoryFor) {
  const Communicator host = world().on_this_host();
  HostMemory memory(host, std::size_t{1} << 50);
  EXPECT_FALSE(memory.shared());
  try {
    memory.use_own("the rows of x");
    ADD_FAILURE() << "a pebibyte was had";
  } catch (const OutOfMemory& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("1073741826.0 MiB for the rows of x"));
  }
}

TEST(HostMemory, KeepsNoRankThatLeavesByAnException) {
  const Communicator observer = world();
  const int last = observer.size() - 1;
  if (last == 0) GTEST_SKIP() << "needs two ranks";
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  const std::string who = fmt::format("rank {}: ", last);
  test::expect_collective_error(observer, ExitCode::kNumerical, {who, "broken"}, [&] {
    never_alone(communicator, [&] {
      const HostMemory memory(host, 1000);
      if (communicator.rank() == last) throw std::runtime_error("broken");
      communicator.barrier();
    });
  });
}

TEST(HostMemory, WaitsForNobodyAfterAnAlarm) {
  const Communicator observer = world();
  if (observer.size() == 1) GTEST_SKIP() << "needs two ranks";
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  std::optional<HostMemory> memory(std::in_place, host, 1000);
  EXPECT_THROW(never_alone(communicator,
                           [&] {
                             if (communicator.is_root()) throw std::runtime_error("broken");
                             communicator.barrier();
                           }),
               CollectiveError);
  if (communicator.is_root()) memory.reset();
  observer.barrier();  // the others' goes later
}

TEST(HostMemory, ServesOneRank) {
  const Communicator self = test::alone();
  HostMemory memory(self, 10);
  memory.bytes()[9] = std::byte{5};
  memory.synchronize();
  EXPECT_EQ(memory.bytes()[9], std::byte{5});
}

}  // namespace
}  // namespace lockstep
