#include "launch/train/stall_watch.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>

#include "launch/cli/screen.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// What a rank that others wait for is at.
constexpr std::array<const char*, kPhases> kDoing = {
    "takes rows from the dataset", "is in forward",   "computes the loss", "is in backward",
    "computes weight gradients",   "updates weights", "does not go on",    "is between two steps",
};

void watch(const std::stop_token& stop, const Heartbeat& heartbeat, double seconds) {
  const Seconds period(std::clamp(seconds / 4, 0.01, 1.0));
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::vector<Heartbeat::Beat> last;
  Clock::time_point before = Clock::now();
  Seconds quiet(0);
  bool told = false;
  while (!stop.stop_requested()) {
    const std::vector<Heartbeat::Beat> beats = heartbeat.beats();
    const Clock::time_point now = Clock::now();
    // If the whole job was suspended, the clock went on alone.
    quiet += std::min<Seconds>(now - before, 2 * period);
    before = now;
    if (beats != last) {
      last = beats;
      quiet = Seconds(0);
      told = false;
    }
    if (!told && quiet >= Seconds(seconds)) {
      told = true;
      if (const std::string text = describe_stall(heartbeat, beats, seconds); !text.empty())
        print_error(text);
    }
    wake.wait_for(lock, stop, period, [] { return false; });
  }
}

}  // namespace

StallWatch::StallWatch(const Heartbeat& heartbeat, double seconds) {
  if (seconds <= 0 || heartbeat.ranks().size() < 2) return;
  try {
    thread_ = std::jthread([&heartbeat, seconds](const std::stop_token& stop) {
      try {
        watch(stop, heartbeat, seconds);
      } catch (const std::exception&) {  // training matters more
      }
    });
  } catch (const std::system_error&) {  // no thread to be had: the same
  }
}

std::string describe_stall(const Heartbeat& heartbeat, const std::vector<Heartbeat::Beat>& beats,
                           double seconds) {
  const std::int64_t step = std::ranges::max(beats, {}, &Heartbeat::Beat::step).step;
  // Who waits in an earlier step than others has stopped: it has what it waited for.
  const auto waits = [&](const Heartbeat::Beat& beat) {
    return beat.phase == Phase::kExchange && beat.step == step;
  };
  const auto first = std::ranges::find_if(beats, waits);
  if (first == beats.end() ||
      first - beats.begin() != static_cast<std::ptrdiff_t>(heartbeat.self()))
    return "";
  std::vector<std::string> holding_up;
  for (std::size_t i = 0; i < beats.size(); ++i)
    if (!waits(beats[i]))
      holding_up.push_back(fmt::format("rank {} {} (step {})", heartbeat.ranks()[i],
                                       kDoing[static_cast<std::size_t>(beats[i].phase)],
                                       beats[i].step + 1));
  if (holding_up.empty())
    return fmt::format("warning: no progress for {} s: all ranks of this host wait (step {})",
                       seconds, step + 1);
  return fmt::format("warning: no progress for {} s: {}; the other ranks of this host wait",
                     seconds, fmt::join(holding_up, ", "));
}

}  // namespace lockstep
