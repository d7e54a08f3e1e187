#pragma once

#include <optional>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/training_state.hpp"
#include "launch/train/run_directory.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// How training stood in the newest checkpoint of a run that can be read. Damaged ones are reported
/// on standard error and passed over; Error (65) if all are.
struct ResumePoint {
  std::string file;     ///< name of the checkpoint
  TrainingState state;  ///< on every rank
};

/// Rank 0 reads; its `model`, built and compiled, gets the weights (the trainer broadcasts them).
/// Throws CollectiveError. Collective.
ResumePoint load_newest_checkpoint(const Communicator& world, const RunDirectory& directory,
                                   Sequential& model);

}  // namespace lockstep
