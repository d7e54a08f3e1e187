#pragma once

#include <cstdint>
#include <string>

#include "io/keras/history.hpp"

namespace lockstep {

class Trainer;

/// How an epoch stands after a step: running means over all ranks since the epoch began.
struct StepReport {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t step = 0;   ///< of this epoch, from 1
  std::int64_t steps = 0;  ///< in this epoch
  std::int64_t rows = 0;   ///< trained in this epoch, over all ranks
  double loss = 0;
  const EpochReport* so_far = nullptr;  ///< names and running means of the metrics
  double seconds = 0;  ///< since the epoch began, rank 0's clock is the one that counts
};

/// Where users hook in. Every hook is called on every rank with the same report (but for clocks),
/// so a callback may decide by it; side effects (files, screen) belong to rank 0. All ranks stop if
/// a callback of any rank asks for it (Trainer::stop), and take the learning rate that rank 0's ask
/// for. Until on_train_end the weights may lie in memory that the ranks of a host share: a callback
/// may read them (but see reads_weights_in_steps()).
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_train_begin(Trainer&) {}
  virtual void on_step_end(Trainer&, const StepReport&) {}
  virtual void on_epoch_end(Trainer&, const EpochReport&) {}
  virtual void on_train_end(Trainer&) {}

  /// Whether on_step_end reads weights, but by Trainer's functions. Then large tables are brought
  /// up to date after every step, which costs what an update of all their rows does.
  virtual bool reads_weights_in_steps() const { return true; }

  /// What a checkpoint must hold for this callback to go on as if it had never stopped: any text
  /// (JSON), none by default. `name` tells the callbacks of a trainer apart.
  virtual std::string name() const { return ""; }
  virtual std::string state() const { return ""; }
  virtual void restore(const std::string& /*state*/) {}
};

}  // namespace lockstep
