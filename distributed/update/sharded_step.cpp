#include "distributed/update/sharded_step.hpp"

#include <algorithm>

namespace lockstep {
namespace {

/// The largest subtrees that the rows of a host make up, in grains: those of its ranks, added up as
/// far as they go.
std::vector<Range> subtrees_of_ranks(const StepPlan& plan, const HostMap& map, int host) {
  std::vector<Range> subtrees;
  for (const int rank : map.ranks_of(host))
    subtrees.insert(subtrees.end(), plan.subtrees_of(rank).begin(), plan.subtrees_of(rank).end());
  return subtrees;
}

std::vector<Range> subtrees_of_host(const StepPlan& plan, const HostMap& map, int host) {
  return largest_subtrees(plan.grains(), subtrees_of_ranks(plan, map, host));
}

/// How each of the host's subtrees is made up of its ranks'.
std::vector<ShardedStep::HostPartial> host_partials(const StepPlan& plan, const HostMap& map,
                                                    int host) {
  const std::vector<Range> parts = subtrees_of_ranks(plan, map, host);
  std::vector<ShardedStep::HostPartial> partials;
  std::size_t first = 0;
  for (const Range& whole : subtrees_of_host(plan, map, host)) {
    std::vector<Range> inside;
    for (std::size_t i = first; i < parts.size() && parts[i].last <= whole.last; ++i)
      inside.push_back({parts[i].first - whole.first, parts[i].last - whole.first});
    partials.push_back({first, inside.size(), TreeSum(whole.count(), inside)});
    first += inside.size();
  }
  return partials;
}

}  // namespace

ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank) {
  const int my_host = map.host_of(rank);
  std::int64_t host_rows = 0;
  std::int64_t first_row = 0;
  std::size_t first_partial = 0;
  std::size_t rank_partials = 0;
  for (const int other : map.ranks_of(my_host)) {
    if (other == rank) first_row = host_rows;
    if (other == rank) first_partial = rank_partials;
    host_rows += plan.rows_of(other).count();
    rank_partials += plan.subtrees_of(other).size();
  }

  std::vector<Range> host_subtrees;
  std::vector<std::size_t> counts;
  std::vector<std::pair<Range, ShardedStep::Source>> all;
  std::size_t received = 0;
  for (int host = 0; host < map.hosts(); ++host) {
    const std::vector<Range> subtrees = subtrees_of_host(plan, map, host);
    counts.push_back(subtrees.size());
    std::int64_t row = 0;  // ranks, and so their rows, are in the order of the grains
    for (const Range& subtree : subtrees) {
      if (host != my_host) {
        all.push_back({subtree, {.own = false, .subtree = received++}});
        continue;
      }
      const Range rows = plan.to_rows(subtree);
      all.push_back({subtree, {.own = true, .subtree = host_subtrees.size()}});
      host_subtrees.push_back({row, row + rows.count()});
      row += rows.count();
    }
  }
  std::ranges::sort(all, {}, [](const auto& found) { return found.first.first; });
  std::vector<Range> subtrees;
  std::vector<ShardedStep::Source> sources;
  for (const auto& [subtree, source] : all) {
    subtrees.push_back(subtree);
    sources.push_back(source);
  }
  return {.plan = &plan,
          .rows = {first_row, first_row + plan.rows_of(rank).count()},
          .subtree_rows = plan.subtree_rows(rank),
          .host_rows = {0, host_rows},
          .host_subtrees = host_subtrees,
          .host_partials = host_partials(plan, map, my_host),
          .first_partial = first_partial,
          .rank_partials = rank_partials,
          .subtrees_of_host = counts,
          .sources = sources,
          .total = TreeSum(plan.grains(), subtrees),
          .all_subtrees = TreeSum(plan.grains(), plan.all_subtrees())};
}

}  // namespace lockstep
