#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep {

/// Of a model's JSON as Keras 2 writes it, the form in which Keras 3 does: every object says its
/// module, an InputLayer its `batch_shape`, and keys that Keras 3 has renamed or dropped follow.
/// Calls of layers stay as they are.
nlohmann::ordered_json in_keras3_form(const nlohmann::ordered_json& model);

/// Keras 3's compile_config of Keras 2's training_config.
nlohmann::ordered_json keras3_compile_config(const nlohmann::ordered_json& training_config);

}  // namespace lockstep
