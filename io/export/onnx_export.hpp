#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// An ONNX file of opset 17 (IR version 8): float32 input `input` and output `output` of Keras's
/// shapes, channels last, any number of rows. Throws Error (65) that names every layer with a part
/// that ONNX lacks.
std::vector<std::byte> export_to_onnx(const Network& model);

/// Whether there is a way to write a layer of Keras's class.
bool onnx_knows(const std::string& class_name);

}  // namespace lockstep
