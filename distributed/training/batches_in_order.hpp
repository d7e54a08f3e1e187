#pragma once

#include <cstdint>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/training/evaluator.hpp"
#include "io/data/batch.hpp"
#include "src/model/network.hpp"

namespace lockstep {

// How evaluate() and predict() go over the rows of a stateful network: batch after batch, of each
// of which every rank computes the same rows, whole grains, as in training. The network's states
// are where they begin, and every rank has all of them afterwards, as before. Collective.

/// Loss (in front) and metric sums over all rows: by grains in each batch, then over the batches.
std::vector<double> sums_in_order(const Network& model, const Communicator& communicator,
                                  const ArrayDataset& data, std::int64_t batch, bool root_only);

void predict_in_order(const Network& model, const Communicator& communicator, const ArrayView& x,
                      std::int64_t batch, const PredictionSink& sink);

}  // namespace lockstep
