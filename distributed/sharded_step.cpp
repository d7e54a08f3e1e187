#include "distributed/sharded_step.hpp"

#include <algorithm>

namespace lockstep {
namespace {

struct Found {
  Range node;
  ShardedStep::Source source;
};

void sort_by_leaves(std::vector<Found>& found) {
  std::ranges::sort(found, {}, [](const Found& f) { return f.node.first; });
}

std::vector<Found> nodes_of_host(const StepPlan& plan, const HostMap& map, int host) {
  std::vector<Found> found;
  for (const int rank : map.ranks_of(host))
    for (std::size_t node = 0; node < plan.nodes_of(rank).size(); ++node)
      found.push_back({plan.nodes_of(rank)[node], {.rank = rank, .node = node}});
  sort_by_leaves(found);
  return found;
}

std::vector<Range> nodes_of(const std::vector<Found>& found) {
  std::vector<Range> nodes;
  for (const Found& f : found) nodes.push_back(f.node);
  return nodes;
}

std::vector<ShardedStep::Source> sources_of(const std::vector<Found>& found) {
  std::vector<ShardedStep::Source> sources;
  for (const Found& f : found) sources.push_back(f.source);
  return sources;
}

}  // namespace

ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank) {
  const std::vector<Found> own = nodes_of_host(plan, map, map.host_of(rank));
  std::vector<Found> all = own;
  std::vector<std::size_t> sums_of_host;
  std::size_t received = 0;
  for (int host = 0; host < map.hosts(); ++host) {
    const TreeSum sums(plan.grains(), nodes_of(nodes_of_host(plan, map, host)));
    sums_of_host.push_back(sums.outputs().size());
    if (host == map.host_of(rank)) continue;
    for (const Range& node : sums.outputs()) all.push_back({node, {.node = received++}});
  }
  sort_by_leaves(all);
  return {.plan = &plan,
          .node_rows = plan.node_rows(rank),
          .host_sources = sources_of(own),
          .host_sum = TreeSum(plan.grains(), nodes_of(own)),
          .sums_of_host = sums_of_host,
          .sources = sources_of(all),
          .total = TreeSum(plan.grains(), nodes_of(all)),
          .all_nodes = TreeSum(plan.grains(), plan.all_nodes())};
}

}  // namespace lockstep
