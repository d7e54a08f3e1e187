#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "distributed/ranks/messages.hpp"
#include "tests/support/limits.hpp"
#include "tests/support/ranks.hpp"

namespace {

/// At which of its next barriers something comes up for this rank, from 1, between two looks: at
/// who has come, and at the alarm.
int barriers_until_late = 0;
const MPI_Request* late_for = nullptr;

}  // namespace

/// In front of MPI's own.
extern "C" {
int MPI_Ibarrier(MPI_Comm communicator, MPI_Request* request) {
  if (barriers_until_late > 0 && --barriers_until_late == 0) late_for = request;
  return PMPI_Ibarrier(communicator, request);
}
int MPI_Test(MPI_Request* request, int* done, MPI_Status* status) {
  const bool looks = request == late_for;
  const int code = PMPI_Test(request, done, status);
  if (!looks) return code;
  late_for = nullptr;
  if (*done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(60));
  return code;
}
}

/// A rank that leaves alone: the others must not wait for it, wherever they are.
namespace lockstep {
namespace {

using test::alone;
using test::expect_collective_error;
using test::world;

/// A call in which the other ranks, or some of them, wait for the first or for the last rank.
struct Wait {
  const char* name;
  void (*call)(const Communicator& communicator, int other);
};

template <class T>
void sum_many(const Communicator& communicator) {
  std::vector<T> values(1000);
  communicator.all_sum(std::span(values));
}

const Wait kWaits[] = {
    {"barrier", [](const Communicator& c, int) { c.barrier(); }},
    {"broadcast", [](const Communicator& c, int) { c.broadcast(std::string("text")); }},
    {"all_sum", [](const Communicator& c, int) { c.all_sum(std::int64_t{1}); }},
    {"all_sum of floats", [](const Communicator& c, int) { sum_many<float>(c); }},
    {"all_sum of doubles", [](const Communicator& c, int) { sum_many<double>(c); }},
    {"all_sum of integers", [](const Communicator& c, int) { sum_many<std::int64_t>(c); }},
    {"all_max", [](const Communicator& c, int) { c.all_max(1); }},
    {"all_min", [](const Communicator& c, int) { c.all_min(1); }},
    {"all_gather", [](const Communicator& c, int) { c.all_gather("text"); }},
    {"gather",
     [](const Communicator& c, int) {
       const std::vector<std::byte> bytes(100'000);
       c.gather(bytes);
     }},
    {"together", [](const Communicator& c, int) { together(c, [] {}); }},
    {"on_root", [](const Communicator& c, int) { on_root(c, [] {}); }},
    {"on_this_host", [](const Communicator& c, int) { c.on_this_host(); }},
    {"split", [](const Communicator& c, int) { c.split(0); }},
    {"messages",
     [](const Communicator& c, int other) {
       std::vector<float> received(1000);
       Messages messages(c);
       messages.receive(received, other, 3);
       messages.wait();
     }},
};

class AlarmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (observer_.size() == 1) GTEST_SKIP() << "needs two ranks";
  }
  int last_one() const { return observer_.size() - 1; }
  bool last() const { return observer_.rank() == last_one(); }
  std::string last_rank() const { return fmt::format("rank {}: ", last_one()); }

  const Communicator observer_ = world();
};

TEST_F(AlarmTest, EndsEveryWaitForARankThatThrew) {
  for (const int other : {0, last_one()})
    for (const Wait& wait : kWaits) {
      SCOPED_TRACE(fmt::format("{}, rank {}", wait.name, other));
      const Communicator communicator = world();
      const std::string who = fmt::format("rank {}: ", other);
      expect_collective_error(observer_, ExitCode::kInputOutput, {who, "disk"}, [&] {
        never_alone(communicator, [&] {
          if (communicator.rank() == other)
            throw Error(ExitCode::kInputOutput, "the disk is on fire");
          wait.call(communicator, other);
        });
      });
      EXPECT_TRUE(communicator.alarm_raised());
    }
}

TEST_F(AlarmTest, EndsTheWaitForARankWithoutMemoryForWhatAllSend) {
  constexpr std::size_t kMiB = 1 << 20;
  const std::string text(64 * kMiB / static_cast<std::size_t>(observer_.size()), 'x');
  for (const bool to_all : {false, true}) {
    SCOPED_TRACE(to_all);
    const Communicator communicator = world();
    expect_collective_error(observer_, ExitCode::kInputOutput, {"rank 0: ", "memory"}, [&] {
      never_alone(communicator, [&] {
        std::optional<test::Limit> limit;
        if (communicator.is_root()) limit.emplace(RLIMIT_AS, test::mapped_bytes() + 16 * kMiB);
        if (to_all)
          communicator.all_gather(text);
        else
          communicator.gather(std::as_bytes(std::span(text)));
      });
    });
  }
}

/// All ranks come to a call, and one of them is through with it and gone before another one has
/// seen that all have come: that one must not leave those alone who are in the call by then.
class GoneBeforeOthersLook : public AlarmTest {
 protected:
  /// `call`: after it `gone` throws; `barrier`: of those that the ranks come to in it.
  template <class Call>
  void expect_end(int gone, int barrier, const Call& call) {
    for (int late = 0; late < observer_.size(); ++late)
      for (int last_to_come = 0; last_to_come < observer_.size(); ++last_to_come)
        if (late != gone && last_to_come != late)
          expect_end(gone, barrier, late, last_to_come, call);
  }

 private:
  template <class Call>
  void expect_end(int gone, int barrier, int late, int last_to_come, const Call& call) {
    SCOPED_TRACE(fmt::format("rank {} looks late, rank {} comes last", late, last_to_come));
    const Communicator communicator = world();
    const std::string who = fmt::format("rank {}: ", gone);
    expect_collective_error(observer_, ExitCode::kNumerical, {who, "broken"}, [&] {
      never_alone(communicator, [&] {
        if (communicator.rank() == last_to_come)
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (communicator.rank() == late) barriers_until_late = barrier;
        call(communicator);
        if (communicator.rank() == gone) throw std::runtime_error("broken");
      });
    });
  }
};

TEST_F(GoneBeforeOthersLook, LeavesNobodyInABroadcast) {
  expect_end(0, 1, [](const Communicator& c) { c.broadcast(true); });
}

TEST_F(GoneBeforeOthersLook, LeavesNobodyInAGather) {
  const std::vector<std::byte> bytes(last() ? 0 : 1'000'000);  // too many to be sent ahead
  expect_end(last_one(), 2, [&](const Communicator& c) { c.gather(bytes); });
}

TEST_F(AlarmTest, ReachesPartsOfTheCommunicator) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
  MPI_Barrier(MPI_COMM_WORLD);  // nobody is in that call any more
  expect_collective_error(observer_, ExitCode::kNumerical, {last_rank(), "broken"}, [&] {
    never_alone(communicator, [&] {
      if (last()) throw std::runtime_error("broken");
      host.all_max(1);
    });
  });
}

TEST_F(AlarmTest, LeavesNothingElseToBeDone) {
  const Communicator communicator = world();
  EXPECT_THROW(never_alone(communicator,
                           [&] {
                             if (last()) throw std::runtime_error("broken");
                             communicator.barrier();
                           }),
               CollectiveError);
  EXPECT_THROW(communicator.barrier(), CollectiveError);
  const Communicator another = world();  // which is another matter
  EXPECT_EQ(another.all_sum(std::int64_t{1}), another.size());
}

TEST_F(AlarmTest, CarriesWhatWasThrown) {
  struct Strange {};
  const std::function<void()> throws[] = {
      [] { throw std::bad_alloc(); }, [] { throw Strange(); },
      [] { throw Error(ExitCode::kBadData, std::string(5000, 'x')); }};
  const std::vector<std::string> words[] = {{"out of memory"}, {"no std::exception"}, {"xxxx"}};
  const ExitCode codes[] = {ExitCode::kInputOutput, ExitCode::kNumerical, ExitCode::kBadData};
  for (std::size_t i = 0; i < 3; ++i) {
    const Communicator communicator = world();
    try {
      never_alone(communicator, [&] {
        if (last()) throws[i]();
        communicator.barrier();
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), codes[i]);
      EXPECT_THAT(error.what(), testing::HasSubstr(words[i][0]));
      if (!last()) {
        EXPECT_LT(std::string(error.what()).size(), 2000u);  // a long one is cut
      }
    }
  }
}

TEST_F(AlarmTest, KeepsTheExceptionOfTheRankThatThrew) {
  const Communicator communicator = world();
  bool nested = false;
  try {
    never_alone(communicator, [&] {
      if (last()) throw std::out_of_range("index 9");
      communicator.barrier();
    });
  } catch (const CollectiveError& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (const std::out_of_range&) {
      nested = true;
    }
  }
  EXPECT_EQ(nested, last());
}

TEST(Alarm, LetsAnExceptionThroughOnOneRank) {
  const Communicator self = alone();
  EXPECT_THROW(never_alone(self, [] { throw std::out_of_range("index 9"); }), std::out_of_range);
  self.barrier();
}

TEST(Alarm, LetsACollectiveErrorThrough) {
  const Communicator communicator = world();
  EXPECT_THROW(never_alone(communicator,
                           [&] { check_collectively(false, ExitCode::kBadData, "all of us"); }),
               CollectiveError);
  communicator.barrier();
  EXPECT_FALSE(communicator.alarm_raised());
}

}  // namespace
}  // namespace lockstep
