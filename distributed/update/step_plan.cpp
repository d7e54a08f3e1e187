#include "distributed/update/step_plan.hpp"

#include <algorithm>

#include "src/core/grain_tree.hpp"
#include "src/core/range.hpp"

namespace lockstep {

StepPlan::StepPlan(std::int64_t rows, std::int64_t grain, int ranks) : rows_(rows), grain_(grain) {
  for (int rank = 0; rank < ranks; ++rank) {
    first_subtree_.push_back(subtrees_.size());
    const std::vector<Range> own = subtrees_within(grains(), share(grains(), rank, ranks));
    subtrees_.insert(subtrees_.end(), own.begin(), own.end());
  }
  first_subtree_.push_back(subtrees_.size());
}

StepPlan StepPlan::of_full_batch(std::int64_t batch_size, std::int64_t train_rows,
                                 std::int64_t grain, int ranks) {
  const std::int64_t rows = std::min(batch_size, train_rows);
  return {rows, std::min(grain > 0 ? grain : default_grain(rows), rows), ranks};
}

std::int64_t StepPlan::to_row(std::int64_t grain) const {
  return std::min(grain * grain_, rows_);
}

Range StepPlan::rows_of(int rank) const {
  return to_rows(share(grains(), rank, ranks()));
}

std::int64_t StepPlan::most_rows() const {
  std::int64_t rows = 0;
  for (int rank = 0; rank < ranks(); ++rank) rows = std::max(rows, rows_of(rank).count());
  return rows;
}

std::span<const Range> StepPlan::subtrees_of(int rank) const {
  const std::size_t first = first_subtree(rank);
  return all_subtrees().subspan(first, first_subtree(rank + 1) - first);
}

std::vector<Range> StepPlan::subtree_rows(int rank) const {
  std::vector<Range> rows;
  const std::int64_t first = rows_of(rank).first;
  for (const Range& subtree : subtrees_of(rank))
    rows.push_back({to_row(subtree.first) - first, to_row(subtree.last) - first});
  return rows;
}

int StepPlan::idle_ranks() const {
  int idle = 0;
  for (int rank = 0; rank < ranks(); ++rank) idle += subtrees_of(rank).empty();
  return idle;
}

}  // namespace lockstep
