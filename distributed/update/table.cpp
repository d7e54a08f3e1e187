#include "distributed/update/table.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace lockstep {
namespace {

bool is_input(const Graph& graph, std::size_t value) {
  return std::ranges::any_of(graph.inputs(), [&](std::size_t input) {
    return graph.storage(input) == graph.storage(value);
  });
}

}  // namespace

std::int64_t Table::ids_of_sample() const {
  std::int64_t ids = 0;
  for (const Use& use : uses) ids += use.positions;
  return ids;
}

RowShare row_share(const HostMap& map, int rank) {
  return {map.place_of(rank), static_cast<std::int64_t>(map.ranks_of(map.host_of(rank)).size())};
}

bool share_rows(const RowShare& a, const RowShare& b) {
  return (a.first - b.first) % std::gcd(a.of, b.of) == 0;
}

void choose_tables(const Graph& graph, const Aim& aim, const Optimizer& optimizer,
                   std::int64_t batch_rows, std::optional<bool> wanted,
                   std::vector<GradientWay>& way_of_op) {
  if (!wanted.value_or(true) || !optimizer.catches_up()) return;
  struct Found {
    std::vector<std::size_t> ops;
    std::int64_t ids = 0;
    bool fits = true;
  };
  std::map<const Parameter*, Found> tables;
  const std::vector<bool> runs = aim.runs(graph);
  for (std::size_t op = 0; op < graph.ops(); ++op) {
    if (!runs[op]) continue;
    const Graph::Step& step = graph.steps()[op];
    for (const Parameter* parameter : step.op->parameters()) {
      Found& found = tables[parameter];
      found.ops.push_back(op);
      found.ids += element_count(graph.shape(step.inputs[0]));
      found.fits = found.fits && step.op->looks_up() && is_input(graph, step.inputs[0]);
    }
  }
  for (const auto& [parameter, found] : tables)
    if (found.fits && aim.trains(*parameter) && !parameter->regularizer.active() &&
        !parameter->constraint.active() &&
        (wanted.value_or(false) || parameter->shape.front() > 2 * batch_rows * found.ids))
      for (const std::size_t op : found.ops) way_of_op[op] = GradientWay::kTouched;
}

std::vector<Table> tables_of(const Graph& graph, const GradientPlan& gradients) {
  std::vector<Table> tables;
  for (const TrainedParameter& trained : gradients.parameters) {
    if (trained.way != GradientWay::kTouched) continue;
    const Parameter& parameter = *trained.parameter;
    Table& table =
        tables.emplace_back(Table{&parameter, {}, parameter.shape.front(), parameter.shape.back()});
    for (const auto& use : trained.uses)
      table.uses.push_back({use.op, element_count(graph.shape(graph.steps()[use.op].inputs[0]))});
  }
  return tables;
}

std::int64_t largest_batch(std::span<const StepPlan> plans) {
  return std::ranges::max(plans, {}, &StepPlan::rows).rows();
}

std::int64_t most_rows_of_host(std::span<const StepPlan> plans, const HostMap& map, int host) {
  std::int64_t most = 0;
  for (const StepPlan& plan : plans) {
    std::int64_t rows = 0;
    for (const int rank : map.ranks_of(host)) rows += plan.rows_of(rank).count();
    most = std::max(most, rows);
  }
  return most;
}

}  // namespace lockstep
