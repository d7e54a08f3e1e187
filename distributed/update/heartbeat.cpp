#include "distributed/update/heartbeat.hpp"

#include <atomic>
#include <string>

#include "distributed/ranks/agreement.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLine = 128;  // bytes of each rank: processors fetch cache lines in pairs
// A word: step, changes, phase.
constexpr int kPhaseBits = 4, kChangeBits = 16;

std::uint64_t pack(const Heartbeat::Beat& beat) {
  return static_cast<std::uint64_t>(beat.step) << (kPhaseBits + kChangeBits) |
         static_cast<std::uint64_t>(beat.changes) << kPhaseBits |
         static_cast<std::uint64_t>(beat.phase);
}

}  // namespace

Heartbeat::Heartbeat(const Communicator& communicator)
    : host_(communicator.on_this_host()),
      memory_(host_, static_cast<std::size_t>(host_.size()) * kLine) {
  if (memory_.shared()) {
    for (const std::string& rank : host_.all_gather(std::to_string(communicator.rank())))
      ranks_.push_back(std::stoi(rank));
    self_ = static_cast<std::size_t>(host_.rank());
  } else {
    ranks_ = {communicator.rank()};
  }
  together(communicator, [&] {
    if (!memory_.shared()) memory_.use_own("the heartbeat");
  });
  std::atomic_ref(word(self_)).store(pack(own_), std::memory_order_relaxed);
  memory_.synchronize();
}

std::uint64_t& Heartbeat::word(std::size_t member) const {
  return *reinterpret_cast<std::uint64_t*>(memory_.bytes().data() + member * kLine);
}

void Heartbeat::write(std::int64_t step, Phase phase) {
  own_ = {step, phase, static_cast<std::uint16_t>(own_.changes + 1)};
  std::atomic_ref(word(self_)).store(pack(own_), std::memory_order_relaxed);
}

std::vector<Heartbeat::Beat> Heartbeat::beats() const {
  std::vector<Beat> beats;
  for (std::size_t member = 0; member < ranks_.size(); ++member) {
    const std::uint64_t value = std::atomic_ref(word(member)).load(std::memory_order_relaxed);
    beats.push_back({static_cast<std::int64_t>(value >> (kPhaseBits + kChangeBits)),
                     static_cast<Phase>(value & ((1u << kPhaseBits) - 1)),
                     static_cast<std::uint16_t>(value >> kPhaseBits)});
  }
  return beats;
}

}  // namespace lockstep
