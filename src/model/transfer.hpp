#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// What transfer learning changes of a network that has been trained for something else.
struct Transfer {
  /// Names of layers, in which * stands for any letters and ? for one.
  std::vector<std::string> freeze, unfreeze;  ///< unfreeze comes second
  /// Layers in Keras's words (model_from_layers_text()) instead of the last one with weights and
  /// all behind it; empty: it keeps them.
  std::string head;

  bool changes_nothing() const { return freeze.empty() && unfreeze.empty() && head.empty(); }
};

/// What has become of a layer with weights.
struct TransferredLayer {
  enum class Weights : std::uint8_t { kKept, kNew, kLeftBehind };
  std::string name, class_name;
  std::int64_t weights;
  bool frozen;
  Weights from;
};

struct TransferResult {
  Network network;  ///< built, not compiled
  std::vector<TransferredLayer> layers;
};

/// The network anew, with its weights; those of a new head are drawn by the seed. A frozen
/// BatchNormalization computes as in inference, as in Keras. Throws Error (64) for a pattern that
/// is no layer's name, and for a head that cannot be put on; 65 if it does not fit.
TransferResult transfer(const Network& from, const Transfer& how, std::uint64_t seed);

}  // namespace lockstep
