#pragma once

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {

/// The reference network as Keras 2 writes it.
inline constexpr const char* kReference = R"json(
{"class_name": "Sequential",
 "config": {
  "name": "sequential",
  "layers": [
   {"class_name": "InputLayer",
    "config": {"batch_input_shape": [null, 784], "dtype": "float32", "sparse": false, "ragged": false, "name": "dense_input"}},
   {"class_name": "Dense",
    "config": {"name": "dense", "trainable": true, "dtype": "float32", "batch_input_shape": [null, 784],
     "units": 64, "activation": "relu", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}},
   {"class_name": "Dense",
    "config": {"name": "dense_1", "trainable": true, "dtype": "float32",
     "units": 32, "activation": "relu", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}},
   {"class_name": "Dense",
    "config": {"name": "dense_2", "trainable": true, "dtype": "float32",
     "units": 10, "activation": "softmax", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}}
  ]}})json";

/// The reference network's JSON with one change.
inline nlohmann::ordered_json changed(const char* pointer, const nlohmann::ordered_json& value) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(kReference);
  json[nlohmann::ordered_json::json_pointer(pointer)] = value;
  return json;
}

inline void expect_refused(const nlohmann::ordered_json& json, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { model_from_json(json); }, testing::HasSubstr(message));
}

inline void expect_text_refused(const std::string& text, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { model_from_json_text(text); }, testing::HasSubstr(message));
}

}  // namespace lockstep
