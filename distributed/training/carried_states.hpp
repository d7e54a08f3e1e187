#pragma once

#include <cstdint>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/train_options.hpp"
#include "distributed/update/step_plan.hpp"
#include "io/keras/keras_file.hpp"
#include "src/model/network.hpp"

namespace lockstep {

// What stateful layers carry from batch to batch (src/graph/carried_state.hpp), on several ranks:
// row i of every batch belongs to the same rank, so within an epoch nothing is sent. Before and
// after each of fit(), evaluate() and predict() every rank has all rows. Of a network that is not
// stateful all of these do nothing.

/// That batches of a stateful network have the size that it has, and the rows make whole ones.
/// `what`: "training". CollectiveError (64); the same on every rank.
void check_whole_batches(const Network& model, std::int64_t batch_size, std::int64_t rows,
                         const std::string& what);

/// Sets the network's batch size, and checks all that training asks of options and rows: the order
/// of the data, whole batches, validation in batches of the same size. CollectiveError (64).
void check_stateful(Network& model, const TrainOptions& options, std::int64_t training_rows,
                    std::int64_t validation_rows);

/// From the rank that has computed each row of a batch to all ranks. Collective.
void share_states(const Network& model, const Communicator& communicator, const StepPlan& plan);
/// Rank 0's on every rank. Collective.
void broadcast_states(const Network& model, const Communicator& communicator);

CarriedStates copy_states(const Network& model);
/// None: zeros. Throws Error (65) for states of another network.
void restore_states(const Network& model, const CarriedStates& states);

}  // namespace lockstep
