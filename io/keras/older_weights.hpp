#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// A weight of a model, and whose it is.
struct OwnedParameter {
  const Layer* layer;
  const Parameter* parameter;
};

/// Where a file keeps a weight, and in which form. The steps are taken in this order.
struct StoredWeight {
  std::vector<std::string> paths;  ///< side by side along the last axis
  Shape kept = {};                 ///< if not empty: the shape without axes of extent 1 that went
  std::vector<std::size_t> axes = {};  ///< if not empty: stored axis of each axis
  bool flipped = false;                ///< each kernel position from the other side
  /// CuDNN's: each of so many gates is the transpose of Keras's; 0: no gates.
  std::size_t gates = 0;
  bool kernel = false;  ///< of which the numbers lie as those of its transpose
  bool halves = false;  ///< the sum of the two halves

  bool plain() const {
    return paths.size() == 1 && kept.empty() && axes.empty() && !flipped && gates == 0 && !halves;
  }
  /// The shape after all steps. Throws Error (65) for datasets that do not go together.
  Shape shape(const hdf5::File& file) const;
  std::vector<float> read(const hdf5::File& file, const Shape& shape) const;
};

/// The weights of a file of Keras 1 or 2, whose datasets stand at `paths` in the order of the
/// model's parameters. Where an older Keras kept one in another form than Keras 2 does, it is found
/// as by Keras's preprocess_weights_for_loading(): Keras 1's gates of LSTM and GRU by themselves,
/// its convolutions of channels_first, Theano's kernels, CuDNN's LSTM and GRU. `group`: where
/// the file says which Keras wrote it. Nothing if their number does not fit.
std::optional<std::vector<StoredWeight>> find_stored_weights(
    const hdf5::File& file, const std::string& group, const std::vector<OwnedParameter>& wanted,
    const std::vector<std::string>& paths);

}  // namespace lockstep
