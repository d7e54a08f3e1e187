#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/model/network.hpp"
#include "src/model/network_remarks.hpp"

namespace lockstep {

/// The optimizer's slots for the whole arena, gathered for a file: one buffer of
/// arena().trainable_size() floats for each of optimizer().slot_names().
using OptimizerSlots = std::vector<std::vector<float>>;

/// What the stateful layers of a network carry from batch to batch: one buffer of (batch, columns)
/// for each of graph().states().
using CarriedStates = std::vector<std::vector<float>>;

/// Everything that one file holds: a Keras model and, in a checkpoint, how training stands.
struct LoadedModel {
  Network model;                        ///< built, with its weights; compiled if the file says how
  std::optional<OptimizerSlots> slots;  ///< if the file has state that fits the optimizer
  std::int64_t iterations = 0;
  std::string training_state;  ///< JSON text of group /lockstep; empty if there is none
  NetworkRemarks remarks = {};
  bool has_training_config = false;
  bool has_optimizer_state = false;  ///< whether or not it fits
  /// JSON text of how rows are made of a table or of texts, if it was trained on such; empty: not.
  std::string table_mapping = {};
  /// Names in ascending order, if the targets of training were strings.
  std::vector<std::string> classes = {};
  /// Of a checkpoint. Not in the model: that begins with zeros, as in Keras, whose files hold none.
  CarriedStates states = {};
};

/// The bytes of an HDF5 file in Keras 2's layout, which Keras 3 reads, too:
/// model_config, weights, and - if the model is compiled - training_config and, with `slots`, the
/// optimizer state in Keras 2's legacy order (iter, all m, all v). `training_state`: JSON text for
/// the attribute `training_state` of the group /lockstep; empty: no such attribute. Where there is
/// one, what stateful layers carry stands in that group, too: `states/0`, ... So for
/// `table_mapping`, which says how rows are made of a table or of texts, and `classes`, a JSON list
/// of the names of the classes. The same model and state give the same bytes.
std::vector<std::byte> keras_image(const Network& model, const OptimizerSlots* slots,
                                   const std::string& training_state,
                                   const std::string& table_mapping = "",
                                   const std::vector<std::string>& classes = {});

/// The bytes of a .keras file, which Keras 3 reads: a zip archive of config.json, metadata.json and
/// model.weights.h5, in which everything else is kept, too. Always the same dates. Throws Error
/// (65) for a network that Keras 3 would take for another one: see model_to_json().
std::vector<std::byte> keras_archive(const Network& model, const OptimizerSlots* slots,
                                     const std::string& training_state,
                                     const std::string& table_mapping = "",
                                     const std::vector<std::string>& classes = {});

enum class ModelFormat { kHdf5, kKeras };
/// By the name's ending: .keras is kKeras.
ModelFormat model_format(const std::filesystem::path& path);

/// keras_archive(), or keras_image() plus a trailer behind it (HDF5 readers ignore it): 8 bytes
/// "LOCKSTEP", the image's length as little-endian uint64, its SHA-256.
std::vector<std::byte> model_file(const Network& model, const OptimizerSlots* slots,
                                  const std::string& training_state,
                                  const std::string& table_mapping = "",
                                  const std::vector<std::string>& classes = {},
                                  ModelFormat format = ModelFormat::kHdf5);

/// Writes model_file() by write_atomically(), in the format of the name's ending.
void save_model(const std::filesystem::path& path, const Network& model,
                const OptimizerSlots* slots, const std::string& training_state,
                const std::string& table_mapping = "",
                const std::vector<std::string>& classes = {});

/// Reads a file of ours or of Keras 1, 2 or 3: a whole-model .h5 or a .keras archive. A file that
/// ends in our trailer, or that has a /lockstep group, must match its SHA-256. Shapes are compared
/// before anything is read. Links out of the file and virtual datasets are refused. Optimizer state
/// is read in Keras 2's legacy order, in tf_keras' and Keras 3's interleaved one, told apart by the
/// names and shapes of its weights. Throws Error: 66, 77, 65 (damaged, not a Keras file, what
/// Lockstep lacks: all of it).
LoadedModel load_model(const std::filesystem::path& path);

/// What load_model makes of the network and the text of the file's training config (empty if it has
/// none). If it compiles the network, the optimizer's state is read.
using CompileLoaded = std::function<void(Network& model, const std::string& training_config)>;
/// The same, compiled in another way; what only training lacks is left in `remarks`. `row_shape`:
/// of the rows that the network is for, if they are known; a network for sequences of any length or
/// images of any size is built for them.
LoadedModel load_model(const std::filesystem::path& path, const CompileLoaded& compile,
                       const std::optional<Shape>& row_shape = {});

/// Reads the weights alone of a file of Keras 1, 2 or 3 (save_weights(), or a whole model) into the
/// built model: by their order in Keras 2's layout; in Keras 3's by `remarks.stores`, or if there
/// are none by the layers' classes. Throws Error: 66, 77, 65.
void load_weights(const std::filesystem::path& path, const NetworkRemarks& remarks, Network& model);

/// Copies the weights of `from` into `to`; the layers' shapes must agree (65, both shapes
/// otherwise).
void copy_weights(const Network& from, Network& to);

}  // namespace lockstep
