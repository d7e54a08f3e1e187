#pragma once

#include <optional>
#include <string>
#include <vector>

#include "distributed/training/training_state.hpp"
#include "launch/train/train_settings.hpp"
#include "src/model/network.hpp"
#include "src/model/transfer.hpp"

namespace lockstep {

/// A network to train: built, compiled, and with --from or a checkpoint how training stood.
struct NetworkSource {
  Network model;
  std::optional<TrainingState> start;
  std::vector<std::string> notes = {};  ///< what the user should know of it: one line each
  std::vector<TransferredLayer> transferred = {};  ///< if its layers were changed
};

/// From --model or --layers, with --weights, or --from, with layers frozen or replaced as wanted;
/// `row_shape` is the data's, for a network that does not say its input shape. Throws Error: 64,
/// 65, 66, 77.
NetworkSource make_network(const TrainSettings& settings, const Shape& row_shape);

}  // namespace lockstep
