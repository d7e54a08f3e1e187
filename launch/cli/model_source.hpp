#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/keras/keras_file.hpp"
#include "launch/cli/option_parser.hpp"

namespace lockstep {

/// Where a trained network comes from: a file that holds all of it, or a network without weights
/// and a file with the weights.
struct ModelSource {
  std::string file;     ///< MODEL.h5 or MODEL.keras
  std::string model;    ///< --model FILE.json
  std::string layers;   ///< --layers TEXT
  std::string weights;  ///< --weights FILE

  /// For messages.
  std::string name() const;
};

/// Adds the argument `model-file`, --model, --layers and --weights.
void add_model_source(po::options_description& known);
/// Throws Error (64) unless there is one network with weights.
ModelSource model_source_from(const po::variables_map& given);

/// The network of --layers or --model, built for rows of this shape if it does not say its input
/// shape, with the weights of --weights if there are any. Throws Error: 64, 65, 66, 77.
LoadedModel read_network(const ModelSource& source, const Shape& row_shape);
/// The same without reading --weights, and with first weights that this seed decides.
LoadedModel draw_network(const ModelSource& source, const Shape& row_shape, std::uint64_t seed);

/// The network with its weights, compiled as CompileLoaded says. Throws Error: 64, 65, 66, 77.
/// `row_shape`: as of read_network(); none: not known.
LoadedModel load_network(const ModelSource& source, const std::optional<Shape>& row_shape,
                         const CompileLoaded& compile);

/// Rows that go through the network together: those that are given, those that stateful layers were
/// made for, or Keras's 32.
std::int64_t batch_size_for(const Network& model, std::optional<std::int64_t> given);

/// On stderr, where numbers may differ from Keras's.
void print_notes(const ModelSource& source, const NetworkRemarks& remarks);

}  // namespace lockstep
