#include "distributed/update/host_map.hpp"

#include <algorithm>
#include <map>
#include <string>

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
  for (const auto& ranks : ranks_) shards_ = std::max(shards_, static_cast<int>(ranks.size()));
}

int HostMap::place_of(int rank) const {
  const std::span<const int> ranks = ranks_of(host_of(rank));
  return static_cast<int>(std::ranges::find(ranks, rank) - ranks.begin());
}

int HostMap::owner(int host, int shard) const {
  const std::span<const int> ranks = ranks_of(host);
  return ranks[static_cast<std::size_t>(shard) % ranks.size()];
}

HostMap map_hosts(const Communicator& communicator, const Communicator& host) {
  int first_rank = communicator.rank();
  host.broadcast(std::span(&first_rank, 1));
  std::vector<int> host_of;
  for (const std::string& text : communicator.all_gather(std::to_string(first_rank)))
    host_of.push_back(std::stoi(text));
  return HostMap(host_of);
}

}  // namespace lockstep
