#include "launch/train/stall_watch.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "launch/cli/screen.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// What a rank that others wait for is at.
constexpr std::array<const char*, kPhases> kDoing = {
    "takes rows from the dataset",
    "is in forward",
    "computes the loss",
    "is in backward",
    "computes weight gradients",
    "updates weights",
    "waits",
    "is between two steps",
};

void watch(const std::stop_token& stop, const Heartbeat& heartbeat, double seconds) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::vector<Heartbeat::Beat> last;
  Clock::time_point since = Clock::now();
  bool told = false;
  while (!stop.stop_requested()) {
    const std::vector<Heartbeat::Beat> beats = heartbeat.beats();
    if (beats != last) {
      last = beats;
      since = Clock::now();
      told = false;
    }
    if (!told && Clock::now() - since >= Seconds(seconds)) {
      told = true;
      if (const std::string text = describe_stall(heartbeat, beats, seconds); !text.empty())
        print_error(text);
    }
    wake.wait_for(lock, stop, Seconds(std::min(seconds / 4, 1.0)), [] { return false; });
  }
}

}  // namespace

StallWatch::StallWatch(const Heartbeat& heartbeat, double seconds) {
  if (seconds > 0 && heartbeat.ranks().size() > 1)
    thread_ = std::jthread(
        [&heartbeat, seconds](const std::stop_token& stop) { watch(stop, heartbeat, seconds); });
}

std::string describe_stall(const Heartbeat& heartbeat, const std::vector<Heartbeat::Beat>& beats,
                           double seconds) {
  const auto waits = [](const Heartbeat::Beat& beat) { return beat.phase == Phase::kExchange; };
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
  if (holding_up.empty()) return "";
  return fmt::format("warning: no progress for {} s: {}; the other ranks of this host wait",
                     seconds, fmt::join(holding_up, ", "));
}

}  // namespace lockstep
