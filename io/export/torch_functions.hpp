#pragma once

#include <string>

namespace lockstep {

/// The text of a function of Python that layers call which PyTorch has no module for: what Keras
/// does with a mask, and cells that compute otherwise than PyTorch's.
const char* torch_function(const std::string& name);

}  // namespace lockstep
