#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "distributed/update/requests.hpp"

namespace lockstep {

/// How the ranks of a host (or threads, in tests) tell each other how far they are, by counters in
/// memory that they share: no messages, no locks. Every member has its counters on a cache line of
/// its own, which it alone writes (release) and all others read (acquire):
///
///   arrived    buckets whose layers it is through with, since the beginning
///   published  buckets for which its share of the update is done, since the beginning
///
/// Beside them lie what it requests of all.
///
/// When all have arrived at a bucket, a member may read what the others' passes left for its
/// gradients, and write the parameters that it owns; when all have published, it may use the new
/// parameters and begin passes again. The first member also tells the others when what it alone
/// fetches in every step is there: announce().
class HostSteps {
 public:
  static std::size_t bytes(int members);

  /// `memory`: bytes(members), zero at first, aligned to 128; the same for all members.
  HostSteps(std::span<std::byte> memory, int members, int member, std::int64_t buckets);

  void begin_step() { ++step_; }
  /// What this member asks for; before it first arrives.
  void request(Requests requests);
  /// What any member asks for; between the first bucket's arrival and this member's last publish().
  Requests requested() const;
  /// This member is through with the step's next bucket.
  void arrive();
  void publish();
  /// How many buckets of this step all members are through with, or have published.
  std::int64_t all_arrived() { return least(arrived_, kArrived); }
  std::int64_t all_published() { return least(published_, kPublished); }
  void announce();
  bool announced() const;
  /// In every step, before the first arrive(): this member has filled in what the others look at
  /// before they begin passes, and has written what it owns of the parameters before they do.
  void fill_in();
  bool all_filled_in() const { return all_at(kFilledIn); }
  void catch_up();
  bool all_caught_up() const { return all_at(kCaughtUp); }

  /// After publish() of all: this member has applied constraints to its part of the parameters.
  void constrain();
  bool all_constrained() const { return all_at(kConstrained); }

  // Sums over the batch are exchanged several times in a step; exchanges count from 1.

  /// This member has written its part of the next one.
  void contribute();
  bool all_contributed(std::uint64_t exchange) const;
  /// The first member: the other hosts' parts are there.
  void announce_sums(std::uint64_t exchange);
  bool sums_announced(std::uint64_t exchange) const;

 private:
  enum Counter {
    kArrived,
    kPublished,
    kAnnounced,
    kContributed,
    kSumsAnnounced,
    kRequests,
    kFilledIn,
    kCaughtUp,
    kConstrained
  };
  std::uint64_t& counter(int member, Counter which) const;
  std::int64_t least(std::uint64_t& known, Counter which);
  bool all_at(Counter which) const;

  std::byte* memory_;
  int members_;
  int member_;
  std::uint64_t buckets_;
  std::uint64_t step_ = 0;     ///< from 1
  std::uint64_t arrived_ = 0;  ///< what all are known to have reached
  std::uint64_t published_ = 0;
};

/// Waits for other processes: spins for a moment, since they are often nearly done, then lets them
/// have the core.
class Backoff {
 public:
  explicit Backoff(int spins) : spins_(spins) {}
  /// Enough to meet a process that is nearly there, unless it waits for this core: of so many
  /// processes on this host.
  static int spins_for(int processes);
  void wait();
  void reset() { done_ = 0; }
  /// Whether it has spun in vain.
  bool yields() const { return done_ >= spins_; }

 private:
  int spins_;
  int done_ = 0;
};

}  // namespace lockstep
