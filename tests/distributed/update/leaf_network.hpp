#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "src/core/grain_tree.hpp"
#include "src/core/range.hpp"
#include "src/model/network.hpp"

/// Networks whose gradients tell from which rows they were made, and in which order they were
/// added.
namespace lockstep::test {

/// What the grain `leaf` adds to number i; the order of additions shows in the bits.
float leaf_value(std::uint32_t step, std::int64_t leaf, std::size_t i);

template <class T>
T tree_value(std::uint32_t step, Range subtree, std::size_t i) {
  if (subtree.count() == 1) return static_cast<T>(leaf_value(step, subtree.first, i));
  const std::int64_t split = tree_split(subtree);
  return tree_value<T>(step, {subtree.first, split}, i) +
         tree_value<T>(step, {split, subtree.last}, i);
}

/// Layers that look like Dense. A row of the input is (step, leaf, ...); element i of a gradient is
/// tree_value(step, the leaves of its rows, i % 61).
Network leaf_network(std::int64_t features, std::initializer_list<std::int64_t> units,
                     const std::string& optimizer);

/// How often a backward of such layers found that someone wants to be called meanwhile.
int& called_hooks();

}  // namespace lockstep::test
