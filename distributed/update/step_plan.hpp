#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/range.hpp"

namespace lockstep {

/// How the ranks share a global batch. Its rows are cut into grains, the leaves of a tree
/// (src/core/grain_tree.hpp); a rank takes consecutive grains, maybe none, and adds up the largest
/// subtrees of the tree that they make up. A pure function of the four numbers, the same on every
/// rank.
class StepPlan {
 public:
  /// rows >= 1, grain >= 1, ranks >= 1.
  StepPlan(std::int64_t rows, std::int64_t grain, int ranks);

  /// Of a full batch out of `train_rows` rows. `grain` 0: default_grain() of the batch.
  static StepPlan of_full_batch(std::int64_t batch_size, std::int64_t train_rows,
                                std::int64_t grain, int ranks);

  std::int64_t rows() const { return rows_; }
  std::int64_t grain() const { return grain_; }
  std::int64_t grains() const { return (rows_ + grain_ - 1) / grain_; }
  std::int64_t grains_of_rows(std::int64_t rows) const { return (rows + grain_ - 1) / grain_; }
  int ranks() const { return static_cast<int>(first_subtree_.size()) - 1; }

  /// The rows of the batch that a rank works on.
  Range rows_of(int rank) const;
  /// Of the rank with most.
  std::int64_t most_rows() const;
  /// The subtrees of a rank in grains, in order, and all ranks' one after the other.
  std::span<const Range> subtrees_of(int rank) const;
  std::span<const Range> all_subtrees() const { return subtrees_; }
  /// Where the subtrees of a rank begin in all_subtrees().
  std::size_t first_subtree(int rank) const {
    return first_subtree_[static_cast<std::size_t>(rank)];
  }
  /// The rows of a range of grains.
  Range to_rows(Range grains) const { return {to_row(grains.first), to_row(grains.last)}; }
  /// The rows of each subtree of a rank, counted from the rank's first row.
  std::vector<Range> subtree_rows(int rank) const;
  int idle_ranks() const;

 private:
  std::int64_t to_row(std::int64_t grain) const;

  std::int64_t rows_;
  std::int64_t grain_;
  std::vector<Range> subtrees_;
  std::vector<std::size_t> first_subtree_;
};

}  // namespace lockstep
