#pragma once

#include <cstddef>
#include <cstdint>

#include "src/layers/layer.hpp"

namespace lockstep {

/// The largest network: this many parameters, and as many elements between two layers.
inline constexpr std::int64_t kMaxElements = (std::int64_t{1} << 31) - 1;
inline constexpr std::size_t kMaxLayers = 10000;
inline constexpr std::size_t kMaxCalls = 4 * kMaxLayers;    ///< models in models multiply them
inline constexpr std::size_t kMaxTensors = 10 * kMaxCalls;  ///< that calls take and give

/// Throws Error (65) if a sample of the network's input has too many elements.
void check_input_size(const Shape& input);

/// Adds a layer's parameters to `parameters`, unless they are counted already, and throws Error
/// (65) if these, or the elements of a value of the graph that it has added, of which `first` is
/// the first, are too many. Called before memory is allocated.
void check_size(const Layer& layer, const Graph& graph, std::size_t first, bool counted,
                std::int64_t& parameters);

}  // namespace lockstep
