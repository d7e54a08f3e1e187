#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "src/core/keras_config.hpp"

namespace lockstep {

/// A layer to be made, and where it was asked for.
struct LayerSource {
  std::string class_name;
  nlohmann::ordered_json config;
  KerasConfig::Locate locate;
  KerasMajor keras = KerasMajor::k3;  ///< whose words the config is in
  std::string store = {};             ///< see NetworkRemarks
  bool nested = false;                ///< in a model that is a layer of another
  bool in_chain = false;              ///< Keras's Sequential, whose layers have one output each

  /// Errors have the given exit code. This must outlive the result.
  KerasConfig read(ExitCode code) const {
    KerasConfig reader(config, locate, code);
    reader.set_keras(keras);
    return reader;
  }
};

}  // namespace lockstep
