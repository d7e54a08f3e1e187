#include "distributed/training/batch_feed.hpp"

#include <algorithm>

namespace lockstep {

BatchFeed::BatchFeed(const ArrayDataset& train, const Scaling& scaling, const Network& model,
                     std::int64_t most_rows, bool shuffle, std::uint64_t seed)
    : train_(train),
      scaling_(scaling),
      order_(train.rows(), shuffle, seed),
      targets_(model.loss().target_kind(), most_rows, model.output_positions(),
               model.output_columns()),
      rows_(static_cast<std::size_t>(most_rows)) {}

/// The rows of the dataset that stand at these positions of the pass; past its end there are none.
std::span<const std::int64_t> BatchFeed::rows_at(Range positions) {
  const std::int64_t first = std::min(positions.first, train_.rows());
  const std::int64_t last = std::min(positions.last, train_.rows());
  for (std::int64_t i = first; i < last; ++i)
    rows_[static_cast<std::size_t>(i - first)] = order_.row(i);
  return std::span(rows_).first(static_cast<std::size_t>(last - first));
}

Targets BatchFeed::load(std::int64_t first, std::int64_t next,
                        const DistributedOptimizer& optimizer) {
  using Input = DistributedOptimizer::Input;
  const auto batch_rows = [](const Input& input, std::int64_t from) {
    return Range{from + input.batch_rows.first, from + input.batch_rows.last};
  };
  const auto gather = [&](const Input& input) {
    const auto rows = rows_at(batch_rows(input, first));
    gather_rows(train_.x, rows, optimizer.workspace().input(input.rows), input.columns, scaling_);
    return rows;
  };
  for (const Input& input : optimizer.other_inputs()) gather(input);
  const Targets targets = targets_.gather(train_, gather(optimizer.own_input()));

  const auto prefetch = [&](const Input& input) {
    prefetch_rows(train_.x, rows_at(batch_rows(input, next)), input.columns);
  };
  for (const Input& input : optimizer.other_inputs()) prefetch(input);
  prefetch(optimizer.own_input());
  return targets;
}

}  // namespace lockstep
