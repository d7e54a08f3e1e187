#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/core/range.hpp"

namespace lockstep {

/// The order in which a step's sums are taken, whatever the number of ranks. The rows of the global
/// batch are cut into grains of consecutive rows; a grain is summed over its rows in order, and the
/// grains are the leaves of one binary tree: the subtree over leaves [first, last) is the sum of
/// the subtrees over [first, split) and [split, last), split = first + the largest power of two
/// smaller than last - first. Pure functions.

/// Rows of a grain unless the user says otherwise: batch / 8, at least 8 and at most 32, rounded
/// down to a power of two. So 32 rows a rank are always work.
std::int64_t default_grain(std::int64_t batch);

/// Where the subtree over these leaves, two at least, is divided.
std::int64_t tree_split(Range leaves);

/// The largest subtrees of the tree over `leaves` leaves that lie within `part`, in order; together
/// they cover it. At most 2 log2(leaves) of them.
std::vector<Range> subtrees_within(std::int64_t leaves, Range part);

/// A subtree's leaves come in order, each is put on a stack, and then this many times the two
/// topmost entries become their sum (lower one first): after the last leaf the stack holds the
/// subtree alone. `leaf` counts from the subtree's first leaf.
int tree_merges_after(std::int64_t leaf, std::int64_t leaves);

/// Adds up a few numbers by the tree, leaf by leaf.
class TreeStack {
 public:
  /// `width` numbers are added up beside each other.
  explicit TreeStack(std::size_t width) : width_(width), stack_(kDeepest * width) {}

  void begin(std::int64_t leaves);
  /// Where the numbers of the next leaf go; then push().
  std::span<double> leaf() { return entry(entries_); }
  void push();
  /// The sums over all leaves, after as many push() as there are leaves; at least one.
  std::span<const double> root() { return entry(0); }

 private:
  static constexpr std::size_t kDeepest = 66;
  std::span<double> entry(std::size_t i) { return std::span(stack_).subspan(i * width_, width_); }

  std::size_t width_;
  std::vector<double> stack_;
  std::size_t entries_ = 0;
  std::int64_t leaves_ = 0;
  std::int64_t pushed_ = 0;
};

/// What gradients are summed over: one partial (the sum over its rows) for each
/// of some subtrees.
struct Subtrees {
  std::span<const Range> samples;  ///< of each subtree, in order, from the first sample of the pass
  std::int64_t grain = 1;          ///< samples; only a subtree's last grain may have fewer
  std::int64_t stride = 0;         ///< floats from one partial to the next
  std::int64_t positions = 1;      ///< matrix rows in each sample
  /// Bytes from a partial to what will be written when it is known, which is fetched into the
  /// cache meanwhile; 0: nothing. For one subtree only.
  std::ptrdiff_t prefetch = 0;

  Subtrees with_positions(std::int64_t p) const {
    Subtrees subtrees = *this;
    subtrees.positions = p;
    return subtrees;
  }
  std::size_t size() const { return samples.size(); }
  Range rows(std::size_t subtree) const {
    return {samples[subtree].first * positions, samples[subtree].last * positions};
  }
  std::int64_t grain_rows() const { return grain * positions; }
  std::int64_t grains(std::size_t subtree) const {
    return (samples[subtree].count() + grain - 1) / grain;
  }
};

}  // namespace lockstep
