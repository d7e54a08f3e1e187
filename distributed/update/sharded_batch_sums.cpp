#include "distributed/update/sharded_batch_sums.hpp"

#include <utility>

#include "distributed/update/wait_until.hpp"

namespace lockstep {

ShardedBatchSums::ShardedBatchSums(const Communicator& communicator, const HostMap& map,
                                   int host_ranks, HostSteps& flags, std::span<double> memory,
                                   Traffic& traffic, std::function<bool()> progress)
    : communicator_(communicator),
      map_(map),
      flags_(flags),
      memory_(memory),
      progress_(std::move(progress)),
      exchange_(communicator, map, kBatchSumsTag, traffic),
      backoff_(Backoff::spins_for(host_ranks)) {}

std::span<double> ShardedBatchSums::buffer() const {
  const std::size_t half = memory_.size() / 2;
  return memory_.subspan(done_ % 2 == 0 ? 0 : half, half);
}

std::span<double> ShardedBatchSums::of_subtree(std::size_t subtree, std::size_t width) {
  exchange_.begin(*step_, buffer(), width);
  return exchange_.of_rank(communicator_.rank()).subspan(subtree * width, width);
}

void ShardedBatchSums::add_up(std::span<double> totals) {
  exchange_.begin(*step_, buffer(), totals.size());
  flags_.contribute();
  ++done_;
  const auto wait_for = [&](const auto& there) {
    wait_until(there, progress_, communicator_, backoff_);
  };
  const bool speaks = map_.place_of(communicator_.rank()) == 0;
  if (map_.hosts() == 1 || speaks) wait_for([&] { return flags_.all_contributed(done_); });
  if (map_.hosts() > 1 && speaks) {
    wait_for([&] { return exchange_.exchange_with_hosts(); });
    flags_.announce_sums(done_);
  } else if (map_.hosts() > 1) {
    wait_for([&] { return flags_.sums_announced(done_); });
  }
  exchange_.add_up(totals);
}

}  // namespace lockstep
