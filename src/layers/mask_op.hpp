#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "src/graph/graph.hpp"

namespace lockstep {

// Keras's masks as values of the graph: a float for each position, 1 where it counts and 0 where it
// is masked. No gradient goes through them. `value` has the mask's shape and one axis more.

/// 0 where a token id is 0.  ids: (positions ...).
std::size_t mask_of_ids(Graph& graph, std::size_t ids);
/// 0 where all features of a position are `mask_value`.
std::size_t mask_of_features(Graph& graph, std::size_t value, float mask_value);
/// 1 everywhere.
std::size_t mask_of_ones(Graph& graph, std::size_t value);
/// 1 where any, or all, of these masks are. Throws Error (65), naming the layer, if their positions
/// differ.
std::size_t any_of_masks(Graph& graph, std::span<const std::size_t> masks,
                         const std::string& layer);
std::size_t all_of_masks(Graph& graph, std::span<const std::size_t> masks,
                         const std::string& layer);
/// The masks of these values; none where a value has none.
std::vector<std::optional<std::size_t>> masks_of(const Graph& graph,
                                                 std::span<const std::size_t> values);

/// Throws Error (65) unless the mask has the positions of the value.
void check_mask_of(const Graph& graph, std::size_t mask, std::size_t value);
/// The features of `value` where the mask is 1, those of `other` elsewhere.
std::size_t chosen(Graph& graph, std::size_t mask, std::size_t value, std::size_t other);
/// The same with one number elsewhere.
std::size_t filled(Graph& graph, std::size_t mask, std::size_t value, float fill);

/// y = x, a mask, whose positions are counted over the global batch in training: the only one of
/// the op's forward sums.
std::unique_ptr<Op> make_mask_count_op();

}  // namespace lockstep
