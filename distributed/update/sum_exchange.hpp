#pragma once

#include <span>

#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/messages.hpp"
#include "distributed/update/host_map.hpp"
#include "distributed/update/requests.hpp"
#include "distributed/update/sharded_step.hpp"
#include "distributed/update/traffic.hpp"

namespace lockstep {

/// Adds up doubles of all ranks' subtrees. Within a host they are read where their ranks wrote
/// them; the first rank of each host exchanges those of its host with the other hosts. Who waits,
/// and for what, is up to the caller.
class SumExchange {
 public:
  /// The references must outlive this object.
  SumExchange(const Communicator& communicator, const HostMap& map, int tag, Traffic& traffic);

  /// `memory`: shared by the ranks of the host, `width` doubles for each subtree of all ranks.
  /// `words`: as well, one of each host, which travel along; or none.
  void begin(const ShardedStep& step, std::span<double> memory, std::size_t width,
             std::span<double> words = {});
  /// Of a rank's subtrees, one after the other.
  std::span<double> of_rank(int rank) const;
  /// On the first rank of a host, when its ranks have written theirs; drives messages forward.
  /// Whether the other hosts' are there. `word`: of this host, if words travel along.
  bool exchange_with_hosts(Requests word = 0);
  /// When all are there.
  void add_up(std::span<double> totals) const;

 private:
  void start_messages();
  void start_words(Requests word);

  const Communicator& communicator_;
  const HostMap& map_;
  int tag_;
  Traffic& traffic_;
  const ShardedStep* step_ = nullptr;
  std::span<double> sums_, words_;
  std::size_t width_ = 0;
  Messages messages_;
  bool started_ = false;
};

}  // namespace lockstep
