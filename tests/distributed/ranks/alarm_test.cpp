#include <stdexcept>

#include "tests/support/ranks.hpp"

/// A rank that leaves alone: the others must not wait for it, wherever they are.
namespace lockstep {
namespace {

using test::alone;
using test::expect_collective_error;
using test::world;

/// A call in which all ranks but the last wait for it.
struct Wait {
  const char* name;
  void (*call)(const Communicator& communicator);
};

const Wait kWaits[] = {
    {"barrier", [](const Communicator& c) { c.barrier(); }},
    {"broadcast", [](const Communicator& c) { c.broadcast(std::string("text")); }},
    {"all_sum", [](const Communicator& c) { c.all_sum(std::int64_t{1}); }},
    {"all_gather", [](const Communicator& c) { c.all_gather("text"); }},
    {"gather",
     [](const Communicator& c) {
       const std::vector<std::byte> bytes(100'000);
       c.gather(bytes);
     }},
    {"together", [](const Communicator& c) { together(c, [] {}); }},
    {"on_root", [](const Communicator& c) { on_root(c, [] {}); }},
    {"on_this_host", [](const Communicator& c) { c.on_this_host(); }},
    {"split", [](const Communicator& c) { c.split(0); }},
    {"messages",
     [](const Communicator& c) {
       std::vector<float> received(1000);
       Messages messages(c);
       messages.receive(received, c.size() - 1, 3);
       messages.wait();
     }},
};

class AlarmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (observer_.size() == 1) GTEST_SKIP() << "needs two ranks";
  }
  bool last() const { return observer_.rank() == observer_.size() - 1; }
  std::string last_rank() const { return fmt::format("rank {}: ", observer_.size() - 1); }

  const Communicator observer_ = world();
};

TEST_F(AlarmTest, EndsEveryWaitForARankThatThrew) {
  for (const Wait& wait : kWaits) {
    SCOPED_TRACE(wait.name);
    const Communicator communicator = world();
    expect_collective_error(observer_, ExitCode::kInputOutput, {last_rank(), "disk"}, [&] {
      never_alone(communicator, [&] {
        if (last()) throw Error(ExitCode::kInputOutput, "the disk is on fire");
        wait.call(communicator);
      });
    });
    EXPECT_TRUE(communicator.alarm_raised());
  }
}

TEST_F(AlarmTest, ReachesPartsOfTheCommunicator) {
  const Communicator communicator = world();
  const Communicator host = communicator.on_this_host();
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
