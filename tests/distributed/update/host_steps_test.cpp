#include "distributed/update/host_steps.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

namespace {
thread_local int yields = 0;
}  // namespace

/// Instead of the C library's: counts what this thread yields.
extern "C" int sched_yield() noexcept {
  ++yields;
  return static_cast<int>(syscall(SYS_sched_yield));
}

namespace lockstep {
namespace {

constexpr std::size_t kLine = 128;

/// The flags of some members.
class Flags {
 public:
  explicit Flags(int members) : memory_(HostSteps::bytes(members) / kLine), members_(members) {}
  HostSteps of(int member, std::int64_t buckets) {
    return HostSteps(std::as_writable_bytes(std::span(memory_)), members_, member, buckets);
  }

 private:
  struct alignas(kLine) Line {
    std::byte bytes[kLine] = {};
  };
  std::vector<Line> memory_;
  int members_;
};

TEST(HostSteps, CountsWhatAllMembersHaveReached) {
  Flags flags(3);
  HostSteps members[] = {flags.of(0, 4), flags.of(1, 4), flags.of(2, 4)};
  for (HostSteps& member : members) member.begin_step();
  members[0].arrive();
  members[1].arrive();
  members[0].arrive();
  EXPECT_EQ(members[0].all_arrived(), 0);
  members[2].arrive();
  for (HostSteps& member : members) EXPECT_EQ(member.all_arrived(), 1);
  for (HostSteps& member : members) EXPECT_EQ(member.all_published(), 0);
  members[0].publish();
  members[1].publish();
  EXPECT_EQ(members[2].all_published(), 0);
  members[2].publish();
  for (HostSteps& member : members) EXPECT_EQ(member.all_published(), 1);
  for (HostSteps& member : members) EXPECT_EQ(member.all_arrived(), 1);
}

TEST(HostSteps, CountsTheBucketsOfItsOwnStepOnly) {
  Flags flags(2);
  HostSteps slow = flags.of(0, 2);
  HostSteps fast = flags.of(1, 2);
  for (int step = 0; step < 3; ++step) {
    slow.begin_step();
    if (step == 0) fast.begin_step();
    EXPECT_EQ(slow.all_arrived(), 0);
    slow.arrive();
    EXPECT_EQ(slow.all_arrived(), step == 0 ? 0 : 1) << "the fast one is a bucket ahead";
    slow.arrive();
    if (step == 0) fast.arrive();
    fast.arrive();
    slow.publish();
    slow.publish();
    fast.publish();
    EXPECT_EQ(slow.all_published(), 1);
    fast.publish();
    EXPECT_EQ(fast.all_published(), 2);
    fast.begin_step();
    fast.arrive();
    EXPECT_EQ(slow.all_arrived(), 2);
    EXPECT_EQ(slow.all_published(), 2);
    EXPECT_EQ(fast.all_published(), 0);
  }
}

TEST(HostSteps, AnnouncesForOneStep) {
  Flags flags(2);
  HostSteps first = flags.of(0, 1);
  HostSteps other = flags.of(1, 1);
  for (int step = 0; step < 3; ++step) {
    first.begin_step();
    other.begin_step();
    EXPECT_FALSE(other.announced());
    first.announce();
    EXPECT_TRUE(other.announced());
    EXPECT_TRUE(first.announced());
  }
}

TEST(Backoff, YieldsOnceItHasSpun) {
  for (const int spins : {0, 1, 5}) {
    Backoff backoff(spins);
    for (int round = 0; round < 2; ++round) {
      yields = 0;
      for (int i = 0; i < spins; ++i) backoff.wait();
      EXPECT_EQ(yields, 0);
      for (int i = 1; i <= 3; ++i) {
        backoff.wait();
        EXPECT_EQ(yields, i);
      }
      backoff.reset();
    }
  }
}

/// What the members share, all of it plain memory but for the flags.
struct Window {
  static constexpr std::int64_t kBucketFloats = 24;

  Window(int count, std::int64_t bucket_count)
      : members(count),
        buckets(bucket_count),
        flags(count),
        loss_sums(static_cast<std::size_t>(count)),
        gradients(static_cast<std::size_t>(count),
                  std::vector<float>(static_cast<std::size_t>(floats()))),
        parameters(static_cast<std::size_t>(floats())) {}
  std::int64_t floats() const { return buckets * kBucketFloats; }

  int members;
  std::int64_t buckets;
  Flags flags;
  std::vector<double> loss_sums;  ///< of each member
  double fetched = 0;             ///< by the first member alone
  std::vector<std::vector<float>> gradients;
  std::vector<float> parameters;
};

/// Small whole numbers, so that sums are exact.
float gradient(int step, int member, std::int64_t i) {
  return static_cast<float>((step * 7 + member * 3 + i) % 16);
}

/// Takes part in steps as ShardedOptimizer does: the same order of writes, flags and reads.
class Member {
 public:
  Member(Window& window, int self, std::uint64_t seed)
      : window_(window),
        self_(self),
        flags_(window.flags.of(self, window.buckets)),
        state_(seed * 1000 + static_cast<std::uint64_t>(self)),
        expected_(window.parameters.size()) {}

  void run(int steps) {
    for (int step = 1; step <= steps; ++step) make_step(step);
  }
  /// Numbers that were not as they should be.
  int wrong() const { return wrong_; }

 private:
  enum class Stage { kFilling, kReturning, kDone };

  void make_step(int step) {
    // Forward reads the parameters.
    for (std::size_t i = 0; i < expected_.size(); ++i)
      wrong_ += window_.parameters[i] != expected_[i];
    flags_.begin_step();
    stages_.assign(static_cast<std::size_t>(window_.buckets), Stage::kFilling);
    arrived_ = published_ = 0;
    total_known_ = false;
    window_.loss_sums[index(self_)] = step + self_;
    for (std::int64_t bucket = 0; bucket < window_.buckets; ++bucket) {
      for (std::int64_t i = first_of(bucket); i < first_of(bucket + 1); ++i) {
        window_.gradients[index(self_)][index(i)] = gradient(step, self_, i);
        for (int member = 0; member < window_.members; ++member)
          expected_[index(i)] += gradient(step, member, i);
      }
      delay();
      flags_.arrive();
      ++arrived_;
      if (chance(2)) advance(step);
    }
    Backoff backoff(20);
    while (flags_.all_published() < window_.buckets) {
      delay();
      advance(step) ? backoff.reset() : backoff.wait();
    }
    const int others = window_.members * (window_.members - 1) / 2;
    wrong_ += total_ != step * window_.members + others + 100.0 * step;
    for (std::size_t i = 0; i < expected_.size(); ++i)
      wrong_ += window_.parameters[i] != expected_[i];
  }

  bool advance(int step) {
    bool moved = !total_known_ && add_up_loss_sums(step);
    for (std::int64_t bucket = published_; bucket < arrived_; ++bucket) {
      Stage& stage = stages_[index(bucket)];
      const Stage before = stage;
      if (stage == Stage::kFilling && flags_.all_arrived() > bucket) {
        update(bucket);
        stage = Stage::kReturning;
      }
      // As messages would, later buckets may overtake earlier ones.
      if (stage == Stage::kReturning && chance(2)) stage = Stage::kDone;
      moved = moved || stage != before;
    }
    while (published_ < arrived_ && stages_[index(published_)] == Stage::kDone &&
           (published_ + 1 < window_.buckets || total_known_)) {
      delay();
      flags_.publish();
      ++published_;
      moved = true;
    }
    return moved;
  }

  bool add_up_loss_sums(int step) {
    if (flags_.all_arrived() == 0) return false;
    if (self_ == 0) {
      window_.fetched = 100.0 * step;
      delay();
      flags_.announce();
    } else if (!flags_.announced()) {
      return false;
    }
    total_ = window_.fetched;
    for (const double statistic : window_.loss_sums) total_ += statistic;
    return total_known_ = true;
  }

  /// Sums this member's shard into its own gradients, adds the sums to the parameters.
  void update(std::int64_t bucket) {
    const std::int64_t first = first_of(bucket);
    for (std::int64_t i = first + Window::kBucketFloats * self_ / window_.members;
         i < first + Window::kBucketFloats * (self_ + 1) / window_.members; ++i) {
      float sum = 0;
      for (int member = 0; member < window_.members; ++member)
        sum += window_.gradients[index(member)][index(i)];
      window_.gradients[index(self_)][index(i)] = sum;
      window_.parameters[index(i)] += sum;
    }
  }

  static std::int64_t first_of(std::int64_t bucket) { return bucket * Window::kBucketFloats; }
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  /// SplitMix64 (Steele et al., OOPSLA 2014): a hash of a counter.
  std::uint64_t random() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  bool chance(std::uint64_t one_in) { return random() % one_in == 0; }
  void delay() {
    if (chance(4)) sched_yield();
    if (chance(200)) std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
  }

  Window& window_;
  int self_;
  HostSteps flags_;
  std::uint64_t state_;
  std::vector<float> expected_;
  std::vector<Stage> stages_;
  std::int64_t arrived_ = 0;
  std::int64_t published_ = 0;
  bool total_known_ = false;
  double total_ = 0;
  int wrong_ = 0;
};

/// Threads as members; also under ThreadSanitizer, which must find no race in the plain memory.
TEST(HostSteps, OrdersAllReadsAndWritesOfManySteps) {
  constexpr int kSteps = 250;
  for (const int count : {1, 2, 3, 5})
    for (const std::int64_t buckets : {1, 2, 5}) {
      Window window(count, buckets);
      std::vector<Member> members;
      for (int self = 0; self < count; ++self)
        members.emplace_back(window, self, static_cast<std::uint64_t>(buckets));
      {
        std::vector<std::jthread> threads;
        for (Member& member : members) threads.emplace_back([&] { member.run(kSteps); });
      }
      for (const Member& member : members)
        EXPECT_EQ(member.wrong(), 0) << count << " members, " << buckets << " buckets";
    }
}

}  // namespace
}  // namespace lockstep
