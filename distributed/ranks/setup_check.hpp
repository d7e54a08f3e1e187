#pragma once

#include <string>

#include "distributed/ranks/communicator.hpp"
#include "io/data/batch.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// That every rank passed the same thing, told by a text or a hash of it: CollectiveError (78) with
/// the values of rank 0 and of the first rank that differs. Collective.
void check_same_everywhere(const Communicator& communicator, const std::string& what,
                           const std::string& value);

/// That the rows are what the compiled network takes: shapes, labels in range, no NaN or Inf. The
/// ranks share the scan. Throws CollectiveError (65) with count, first row and an example.
/// Collective.
void check_data(const Communicator& communicator, const Sequential& model, const ArrayDataset& data,
                const std::string& x_label, const std::string& y_label);

/// A hash of all rows of x and y, in hex.
std::string hash_of(const ArrayDataset& data);

}  // namespace lockstep
