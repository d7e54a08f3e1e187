#pragma once

#include <span>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/host_map.hpp"
#include "distributed/update/host_steps.hpp"
#include "distributed/update/sharded_step.hpp"

namespace lockstep {

/// Adds up the loss sums of all ranks' subtrees. Within a host they are read where their ranks
/// wrote them; the first rank of each host exchanges those of its host with the other hosts. Nobody
/// waits: advance() takes it as far as it goes.
class LossSumExchange {
 public:
  /// `memory`: shared by the ranks of the host, `width` doubles for each subtree of all ranks.
  /// The references must outlive this object.
  LossSumExchange(const Communicator& communicator, const Communicator& host, const HostMap& map,
                  std::span<double> memory, std::size_t width, Traffic& traffic);

  void begin_step(const ShardedStep& step);
  /// Of a rank's subtrees: for this rank to write before it arrives at its first bucket.
  std::span<double> of_rank(int rank) const;
  /// Whether the totals have become known.
  bool advance(HostSteps& flags);
  bool known() const { return known_; }
  std::span<const double> totals() const { return totals_; }

 private:
  void exchange_with_hosts();

  const Communicator& communicator_;
  const Communicator& host_;
  const HostMap& map_;
  Traffic& traffic_;
  std::size_t width_;
  std::span<double> sums_;
  const ShardedStep* step_ = nullptr;
  std::vector<double> totals_;
  Messages messages_;
  bool sent_ = false;
  bool known_ = false;
};

}  // namespace lockstep
