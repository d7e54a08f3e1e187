#include "distributed/update/host_steps.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace lockstep {
namespace {

/// Two cache lines: processors fetch them in pairs.
constexpr std::size_t kLine = 128;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

std::size_t HostSteps::bytes(int members) {
  return static_cast<std::size_t>(members) * kLine;
}

HostSteps::HostSteps(std::span<std::byte> memory, int members, int member, std::int64_t buckets)
    : memory_(memory.data()),
      members_(members),
      member_(member),
      buckets_(static_cast<std::uint64_t>(buckets)) {}

std::uint64_t& HostSteps::counter(int member, Counter which) const {
  return reinterpret_cast<std::uint64_t*>(memory_ +
                                          static_cast<std::size_t>(member) * kLine)[which];
}

void HostSteps::request(Requests requests) {
  std::atomic_ref(counter(member_, kRequests)).store(requests, std::memory_order_relaxed);
}

Requests HostSteps::requested() const {
  Requests all = 0;
  for (int member = 0; member < members_; ++member)
    all |= static_cast<Requests>(
        std::atomic_ref(counter(member, kRequests)).load(std::memory_order_relaxed));
  return all;
}

void HostSteps::arrive() {
  std::atomic_ref(counter(member_, kArrived)).fetch_add(1, std::memory_order_release);
}

void HostSteps::publish() {
  std::atomic_ref(counter(member_, kPublished)).fetch_add(1, std::memory_order_release);
}

void HostSteps::announce() {
  std::atomic_ref(counter(member_, kAnnounced)).store(step_, std::memory_order_release);
}

bool HostSteps::announced() const {
  return std::atomic_ref(counter(0, kAnnounced)).load(std::memory_order_acquire) >= step_;
}

void HostSteps::fill_in() {
  std::atomic_ref(counter(member_, kFilledIn)).store(step_, std::memory_order_release);
}

void HostSteps::catch_up() {
  std::atomic_ref(counter(member_, kCaughtUp)).store(step_, std::memory_order_release);
}

void HostSteps::constrain() {
  std::atomic_ref(counter(member_, kConstrained)).store(step_, std::memory_order_release);
}

bool HostSteps::all_at(Counter which) const {
  for (int member = 0; member < members_; ++member)
    if (std::atomic_ref(counter(member, which)).load(std::memory_order_acquire) < step_)
      return false;
  return true;
}

void HostSteps::contribute() {
  std::atomic_ref(counter(member_, kContributed)).fetch_add(1, std::memory_order_release);
}

bool HostSteps::all_contributed(std::uint64_t exchange) const {
  for (int member = 0; member < members_; ++member)
    if (std::atomic_ref(counter(member, kContributed)).load(std::memory_order_acquire) < exchange)
      return false;
  return true;
}

void HostSteps::announce_sums(std::uint64_t exchange) {
  std::atomic_ref(counter(0, kSumsAnnounced)).store(exchange, std::memory_order_release);
}

bool HostSteps::sums_announced(std::uint64_t exchange) const {
  return std::atomic_ref(counter(0, kSumsAnnounced)).load(std::memory_order_acquire) >= exchange;
}

std::int64_t HostSteps::least(std::uint64_t& known, Counter which) {
  const std::uint64_t before = (step_ - 1) * buckets_;
  if (known < before + buckets_) {
    known = ~std::uint64_t{0};
    for (int member = 0; member < members_; ++member)
      known =
          std::min(known, std::atomic_ref(counter(member, which)).load(std::memory_order_acquire));
  }
  return static_cast<std::int64_t>(std::min(known - before, buckets_));
}

int Backoff::spins_for(int processes) {
  constexpr int kFewMicroseconds = 20;
  constexpr int kHundredMicroseconds = 2000;
  return processes > sysconf(_SC_NPROCESSORS_ONLN) ? kFewMicroseconds : kHundredMicroseconds;
}

void Backoff::wait() {
  if (done_ < spins_) {
    ++done_;
    pause();
  } else {
    sched_yield();
  }
}

}  // namespace lockstep
