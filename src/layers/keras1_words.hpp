#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lockstep {

/// A layer's config with Keras 1's words (output_dim, init, W_regularizer, a Dropout's p, ...)
/// replaced by those of Keras 2. A config in Keras 2's or 3's words stays as it is.
nlohmann::ordered_json in_newer_words(const std::string& class_name, nlohmann::ordered_json config);

}  // namespace lockstep
