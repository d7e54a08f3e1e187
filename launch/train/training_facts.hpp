#pragma once

#include "distributed/ranks/communicator.hpp"
#include "io/data/batch.hpp"
#include "launch/train/training_advice.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Of a network that will get this loss, and of a compiled one with its metrics.
NetworkFacts facts_of(const Network& model, const Loss& loss);
NetworkFacts facts_of(const Network& model);

/// Of the rows that train: all targets, and some thousands of the inputs. The ranks share the scan;
/// the same on every rank. Collective.
RowFacts facts_of(const Communicator& communicator, const ArrayDataset& rows, const Network& model,
                  const std::string& x_label, const std::string& y_label);

/// Throws CollectiveError for the first refusal; the warnings are printed by rank 0. The same
/// advice on every rank.
void follow(const Communicator& communicator, const std::vector<Advice>& advice);

}  // namespace lockstep
