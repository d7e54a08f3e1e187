#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "distributed/update/host_map.hpp"
#include "distributed/update/step_plan.hpp"
#include "src/graph/gradient_plan.hpp"
#include "src/optimizers/optimizer.hpp"

namespace lockstep {

/// A table of which a step updates the rows that its ids name, and no others (TableUpdates).
struct Table {
  struct Use {
    std::size_t op;
    std::int64_t positions;  ///< ids of a sample
  };
  const Parameter* parameter;
  std::vector<Use> uses;  ///< ascending ops
  std::int64_t rows, features;

  std::int64_t ids_of_sample() const;
};

/// The rows of every table that a rank owns on its host: one in `of`, so that frequent ids, which
/// are often the first, are everyone's.
struct RowShare {
  std::int64_t first = 0, of = 1;

  bool owns(std::int64_t row) const { return row % of == first; }
  std::int64_t count(std::int64_t rows) const { return (rows - first + of - 1) / of; }
  /// Of an owned row among all that are.
  std::int64_t index(std::int64_t row) const { return row / of; }
  std::int64_t row(std::int64_t index) const { return index * of + first; }
};
RowShare row_share(const HostMap& map, int rank);
/// Whether two ranks of different hosts may own the same row there.
bool share_rows(const RowShare& a, const RowShare& b);

/// Turns into kTouched what the ops' gradients are that look up tables, where a table
///  - is read by such ops alone, whose ids are an input of the network, known before forward,
///  - has no regularizer, which would move every row in every step, and no constraint,
///  - has more than twice the rows that a batch of `batch_rows` can name,
/// and the optimizer can catch up. `wanted` false: none; true: however small. A pure function.
void choose_tables(const Graph& graph, const Aim& aim, const Optimizer& optimizer,
                   std::int64_t batch_rows, std::optional<bool> wanted,
                   std::vector<GradientWay>& way_of_op);
std::vector<Table> tables_of(const Graph& graph, const GradientPlan& gradients);

/// The longest batch of the plans, and the most rows of a step on one host.
std::int64_t largest_batch(std::span<const StepPlan> plans);
std::int64_t most_rows_of_host(std::span<const StepPlan> plans, const HostMap& map, int host);

}  // namespace lockstep
