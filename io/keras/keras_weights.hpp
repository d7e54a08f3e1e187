#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"
#include "io/keras/older_weights.hpp"
#include "src/model/network.hpp"
#include "src/model/network_remarks.hpp"

namespace lockstep {

/// Whether a file has weights in one of Keras's layouts: below /model_weights or at the root by
/// layer_names (Keras 1 and 2), or below /layers/dense/vars (Keras 3).
bool has_keras_weights(const hdf5::File& file);

/// Reads them into the built model, after comparing all counts and shapes. Throws Error (65) that
/// names every weight that is missing or has another shape.
void read_weights(const hdf5::File& file, const NetworkRemarks& remarks, Network& model);

/// What became of layers where a network and a file with weights were not made for each other.
struct MatchedLayers {
  std::vector<std::string> read;   ///< of the network: all their weights
  std::vector<std::string> drawn;  ///< of the network: none
  std::vector<std::string> left;   ///< of the file
};
/// Keras's load_weights(skip_mismatch=True): reads the weights of those layers of which the file
/// has one of the same name (in Keras 3's files: at the same place) with weights of the same
/// shapes.
MatchedLayers read_matching_weights(const hdf5::File& file, const NetworkRemarks& remarks,
                                    Network& model);
/// The same of a file as load_weights() takes it. Throws Error: 66, 77, 65.
MatchedLayers load_matching_weights(const std::filesystem::path& path,
                                    const NetworkRemarks& remarks, Network& model);

/// Where a file of Keras 1 or 2 keeps the weights of the model.
std::map<const Parameter*, StoredWeight> stored_weights(const hdf5::File& file,
                                                        const NetworkRemarks& remarks,
                                                        const Network& model);

/// The model's layers in the order in which the file that it is from keeps their weights.
std::vector<std::size_t> file_order(const Network& model, const NetworkRemarks& remarks);

/// The model's layers with weights, in order.
std::vector<Layer*> layers_with_weights(const Network& model);

}  // namespace lockstep
