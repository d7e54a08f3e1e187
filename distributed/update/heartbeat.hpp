#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/host_memory.hpp"

namespace lockstep {

/// What a rank does in a training step.
enum class Phase {
  kData,       ///< takes its rows from the dataset
  kForward,    ///< the network's outputs
  kLoss,       ///< losses, metrics, the gradient by the outputs
  kBackward,   ///< the gradients by the layers' outputs
  kGradients,  ///< the gradients by the parameters
  kUpdate,     ///< adds up gradients and updates the parameters that it owns
  kExchange,   ///< exposed communication: it has nothing to do until other ranks or messages arrive
  kOther,      ///< everything between: progress line, replica checks, sample order
};
inline constexpr std::size_t kPhases = 8;

/// Where the ranks of a host stand, for each other and for threads beside training to read at any
/// time: a word for each in memory that they share, written whenever a step or a phase begins.
class Heartbeat {
 public:
  struct Beat {
    std::int64_t step = 0;  ///< optimizer steps done when this one began
    Phase phase = Phase::kOther;
    std::uint16_t changes = 0;  ///< of step or phase, since the beginning; it wraps
    bool operator==(const Beat&) const = default;
  };

  /// Collective. Where ranks of a host cannot share memory, each sees itself alone.
  explicit Heartbeat(const Communicator& communicator);

  void begin_step(std::int64_t step) { write(step, own_.phase); }
  void enter(Phase phase) { write(own_.step, phase); }

  /// The ranks that are seen, by their numbers in the communicator, and how they stand, in the
  /// same order. From any thread.
  const std::vector<int>& ranks() const { return ranks_; }
  std::vector<Beat> beats() const;
  std::size_t self() const { return self_; }  ///< which of them this one is

 private:
  void write(std::int64_t step, Phase phase);
  std::uint64_t& word(std::size_t member) const;

  Communicator host_;
  HostMemory memory_;
  std::vector<int> ranks_;
  std::size_t self_ = 0;
  Beat own_;
};

}  // namespace lockstep
