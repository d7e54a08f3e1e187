#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "distributed/update/host_steps.hpp"
#include "distributed/update/sum_exchange.hpp"
#include "src/graph/pass.hpp"

namespace lockstep {

/// Sums over the batch in the middle of a pass, for ranks that share a window: every rank writes
/// its subtrees', counts itself as through (HostSteps), and waits for the others; on several hosts
/// also for the first rank, which exchanges them with the other hosts. Two buffers take turns: who
/// writes the next but one has seen all ranks begin the next, and so finish with this one.
class ShardedBatchSums final : public BatchSums {
 public:
  /// `memory`: twice `floats`, shared by the ranks of the host. `progress` is called while a rank
  /// waits, and tells whether anything went on. The references must outlive this object.
  ShardedBatchSums(const Communicator& communicator, const HostMap& map, int host_ranks,
                   HostSteps& flags, std::span<double> memory, Traffic& traffic,
                   std::function<bool()> progress);

  void begin_step(const ShardedStep& step) { step_ = &step; }
  std::span<double> of_subtree(std::size_t subtree, std::size_t width) override;
  void add_up(std::span<double> totals) override;

 private:
  std::span<double> buffer() const;

  const Communicator& communicator_;
  const HostMap& map_;
  HostSteps& flags_;
  std::span<double> memory_;
  std::function<bool()> progress_;
  SumExchange exchange_;
  const ShardedStep* step_ = nullptr;
  Backoff backoff_;
  std::uint64_t done_ = 0;  ///< exchanges since the beginning
};

}  // namespace lockstep
