#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "io/data/batch.hpp"
#include "src/model/network.hpp"

namespace lockstep {

struct Evaluation {
  double loss = 0;
  std::vector<std::pair<std::string, double>> metrics;
  std::int64_t rows = 0;
};

/// Loss and metrics of the rows as Keras's evaluate(). The rows are cut into blocks of
/// `block_rows`, the blocks are shared by the ranks (or all done by rank 0), and the blocks' sums
/// are added in the order of blocks: the same numbers on any number of ranks. Of a stateful network
/// blocks are its batches, one after the other, which the ranks share; Error (64) if the rows are
/// not whole ones. It goes on from its states, and leaves the last ones. Collective.
Evaluation evaluate(const Network& model, const Communicator& communicator,
                    const ArrayDataset& data, std::int64_t block_rows, bool root_only = false);

/// The network's output for every row of x, in order, as Keras's predict(); of a stateful network
/// as evaluate() goes about it. `sink` is called on rank 0 with consecutive pieces: (first row,
/// predictions (rows, features)). Collective.
using PredictionSink = std::function<void(std::int64_t first_row, ConstMatrix predictions)>;
void predict(const Network& model, const Communicator& communicator, const ArrayView& x,
             std::int64_t block_rows, const PredictionSink& sink);

}  // namespace lockstep
