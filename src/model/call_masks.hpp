#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

namespace lockstep {

/// Layers of a functional model, and the number of each in the list that they are from.
struct NumberedLayers {
  nlohmann::ordered_json list;
  std::vector<std::size_t> numbers;
};

/// Keras 3 writes into a functional model what it computes of masks: operations (NotEqual, Any,
/// LogicalOr, ...) that begin at the input of an Embedding or a Masking, and `mask` among the
/// arguments of calls. A mask that comes from the same layers as the call's inputs says no more
/// than that masks are passed on, as they are anyway: those arguments and operations are left out.
/// Any other stays.
NumberedLayers without_call_masks(const nlohmann::ordered_json& layers);

}  // namespace lockstep
