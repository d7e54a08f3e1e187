#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "io/data/batch.hpp"
#include "src/model/network.hpp"

namespace lockstep {

struct TrainOptions;

/// (name, value) of what decides a result, in words that a user knows.
using Fact = std::pair<std::string, std::string>;
using Facts = std::vector<Fact>;

std::optional<std::string> find_fact(const Facts& facts, const std::string& name);

/// What makes a run that run, kept in its checkpoints: training goes on only where all of it is
/// the same. An empty list is not known, and fits everything.
struct RunIdentity {
  Facts options;  ///< of the program around the trainer; empty without one
  Facts trainer;  ///< trainer_facts()
  Facts inputs;   ///< the data and, of the program, the file that training set out from

  bool known() const { return !trainer.empty(); }
};

/// "seed 0 there, 5 here" for every name whose value is another one, or is on one side only.
std::vector<std::string> differences(const Facts& there, const Facts& here);

/// All of the options and of the compiled network that decides the numbers, defaults resolved.
Facts trainer_facts(const TrainOptions& options, const Network& model);

/// "60 rows of uint8 (8), hash 0123..." for x, for y, and for weights if there are. The
/// ranks hash disjoint parts; the value does not depend on their number. Collective.
Facts data_facts(const Communicator& communicator, const ArrayDataset& data,
                 const std::string& x_name, const std::string& y_name,
                 const std::string& weights_name = "sample-weight");

}  // namespace lockstep
