#pragma once

#include <string>

#include "distributed/ranks/communicator.hpp"
#include "io/data/batch.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// That every rank passed the same thing, told by a text or a hash of it: CollectiveError (78) with
/// the values of rank 0 and of the first rank that differs. Collective.
void check_same_everywhere(const Communicator& communicator, const std::string& what,
                           const std::string& value);

/// That the rows are what the compiled network takes: shapes, labels in range, no NaN or Inf, no
/// negative weight. The
/// ranks share the scan. Throws CollectiveError (65) with count, first row and an example.
/// Collective.
void check_data(const Communicator& communicator, const Network& model, const ArrayDataset& data,
                const std::string& x_label, const std::string& y_label,
                const std::string& weights_label = "sample_weight");

/// "20 rows of float32 (4) and 20 rows of float32 ()", and the same with a hash of all rows.
std::string describe_shape(const ArrayDataset& data);
std::string hash_of(const ArrayDataset& data);
/// "sequential with 50890 parameters, hash ..." of layers and compile()'s arguments, and "50890
/// weights with hash ...".
std::string describe_network(const Network& model);
std::string describe_weights(const Network& model);

/// That every rank passed the same rows (or none, null): as many of the same shape, and unless that
/// is known the same values. Throws as check_same_everywhere(). Collective.
void check_same_rows(const Communicator& communicator, const std::string& what,
                     const ArrayDataset* data, bool compare_values);

}  // namespace lockstep
