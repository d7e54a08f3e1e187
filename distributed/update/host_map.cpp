#include "distributed/update/host_map.hpp"

#include <algorithm>
#include <map>

namespace lockstep {

HostMap::HostMap(std::span<const int> host_of) {
  std::map<int, int> numbers;
  for (std::size_t rank = 0; rank < host_of.size(); ++rank) {
    const int host =
        numbers.try_emplace(host_of[rank], static_cast<int>(numbers.size())).first->second;
    host_of_.push_back(host);
    if (host == hosts()) ranks_.emplace_back();
    ranks_[static_cast<std::size_t>(host)].push_back(static_cast<int>(rank));
  }
  for (const auto& ranks : ranks_) slices_ = std::max(slices_, static_cast<int>(ranks.size()));
}

int HostMap::place_of(int rank) const {
  const std::span<const int> ranks = ranks_of(host_of(rank));
  return static_cast<int>(std::ranges::find(ranks, rank) - ranks.begin());
}

int HostMap::handler(int host, int slice) const {
  const std::span<const int> ranks = ranks_of(host);
  return ranks[static_cast<std::size_t>(slice) % ranks.size()];
}

}  // namespace lockstep
