#pragma once

#include <string>
#include <vector>

#include "src/core/problems.hpp"

namespace lockstep {

/// What reading a foreign network found beside the network.
struct NetworkRemarks {
  std::vector<std::string> notes;         ///< where numbers may differ from Keras's: one line each
  std::vector<std::string> saving_notes;  ///< in what a file written from it differs
  Problems training;                      ///< what only training needs, and Lockstep lacks
  /// For each layer of the network, where Keras 3's weights files keep its weights:
  /// "layers/dense_1". Empty for a network that is not from JSON.
  std::vector<std::string> stores;
  /// The layers of the network in the order in which the file that it is from keeps their weights.
  std::vector<std::size_t> file_order;
};

}  // namespace lockstep
