#include "distributed/update/heartbeat.hpp"

#include <atomic>
#include <string>

#include "distributed/ranks/agreement.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLine = 128;  // bytes of each rank: processors fetch cache lines in pairs
constexpr int kPhaseBits = 8;

}  // namespace

Heartbeat::Heartbeat(const Communicator& communicator)
    : host_(communicator.on_this_host()),
      memory_(host_, static_cast<std::size_t>(host_.size()) * kLine) {
  if (memory_.shared()) {
    for (const std::string& rank : host_.all_gather(std::to_string(communicator.rank())))
      ranks_.push_back(std::stoi(rank));
    self_ = static_cast<std::size_t>(host_.rank());
  } else {
    together(host_, [&] { memory_.use_own("the heartbeat"); });
    ranks_ = {communicator.rank()};
  }
  write({});
  memory_.synchronize();
}

std::uint64_t& Heartbeat::word(std::size_t member) const {
  return *reinterpret_cast<std::uint64_t*>(memory_.bytes().data() + member * kLine);
}

void Heartbeat::write(Beat beat) {
  own_ = beat;
  const std::uint64_t value =
      static_cast<std::uint64_t>(beat.step) << kPhaseBits | static_cast<std::uint64_t>(beat.phase);
  std::atomic_ref(word(self_)).store(value, std::memory_order_relaxed);
}

std::vector<Heartbeat::Beat> Heartbeat::beats() const {
  std::vector<Beat> beats;
  for (std::size_t member = 0; member < ranks_.size(); ++member) {
    const std::uint64_t value = std::atomic_ref(word(member)).load(std::memory_order_relaxed);
    beats.push_back({static_cast<std::int64_t>(value >> kPhaseBits),
                     static_cast<Phase>(value & ((1u << kPhaseBits) - 1))});
  }
  return beats;
}

}  // namespace lockstep
