#pragma once

#include <cstdint>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/training_state.hpp"
#include "launch/train/run_directory.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// What this call would train: a checkpoint must be of that.
struct ExpectedRun {
  RunIdentity identity;
  Facts places;  ///< where identity.inputs come from, by their names
  std::uint64_t seed = 0;
  std::int64_t first_step = 0;  ///< that the optimizer had done before the run began
  std::int64_t steps_per_epoch = 0;
  bool resume_required = false;
};

/// How training stood in the newest checkpoint of a run that is good: whole, finite and of one
/// piece. Others are reported on standard error and passed over; Error (65) if all are. Error (73,
/// or 64 with resume_required) if it is of another run, (65) if data or the file to train on were
/// replaced since, with both values.
struct ResumePoint {
  std::string file;     ///< name of the checkpoint
  TrainingState state;  ///< on every rank
};

/// Rank 0 reads; its `model`, built and compiled, gets the weights (the trainer broadcasts them).
/// Throws CollectiveError. Collective.
ResumePoint load_newest_checkpoint(const Communicator& world, const RunDirectory& directory,
                                   const ExpectedRun& expected, Network& model);

}  // namespace lockstep
