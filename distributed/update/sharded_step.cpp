#include "distributed/update/sharded_step.hpp"

#include <algorithm>

namespace lockstep {
namespace {

/// The largest nodes that the rows of a host make up, in grains: those of its ranks, added up as
/// far as they go.
std::vector<Range> nodes_of_host(const StepPlan& plan, const HostMap& map, int host) {
  std::vector<Range> nodes;
  for (const int rank : map.ranks_of(host))
    nodes.insert(nodes.end(), plan.nodes_of(rank).begin(), plan.nodes_of(rank).end());
  return largest_nodes(plan.grains(), nodes);
}

}  // namespace

ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank) {
  const int my_host = map.host_of(rank);
  std::int64_t host_rows = 0;
  std::int64_t first_row = 0;
  for (const int other : map.ranks_of(my_host)) {
    if (other == rank) first_row = host_rows;
    host_rows += plan.rows_of(other).count();
  }

  std::vector<Range> host_nodes;
  std::vector<std::size_t> counts;
  std::vector<std::pair<Range, ShardedStep::Source>> all;
  std::size_t received = 0;
  for (int host = 0; host < map.hosts(); ++host) {
    const std::vector<Range> nodes = nodes_of_host(plan, map, host);
    counts.push_back(nodes.size());
    std::int64_t row = 0;  // ranks, and so their rows, are in the order of the grains
    for (const Range& node : nodes) {
      if (host != my_host) {
        all.push_back({node, {.own = false, .node = received++}});
        continue;
      }
      const Range rows = plan.to_rows(node);
      all.push_back({node, {.own = true, .node = host_nodes.size()}});
      host_nodes.push_back({row, row + rows.count()});
      row += rows.count();
    }
  }
  std::ranges::sort(all, {}, [](const auto& found) { return found.first.first; });
  std::vector<Range> nodes;
  std::vector<ShardedStep::Source> sources;
  for (const auto& [node, source] : all) {
    nodes.push_back(node);
    sources.push_back(source);
  }
  return {.plan = &plan,
          .rows = {first_row, first_row + plan.rows_of(rank).count()},
          .node_rows = plan.node_rows(rank),
          .host_rows = {0, host_rows},
          .host_nodes = host_nodes,
          .nodes_of_host = counts,
          .sources = sources,
          .total = TreeSum(plan.grains(), nodes),
          .all_nodes = TreeSum(plan.grains(), plan.all_nodes())};
}

}  // namespace lockstep
