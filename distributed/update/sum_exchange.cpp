#include "distributed/update/sum_exchange.hpp"

namespace lockstep {

SumExchange::SumExchange(const Communicator& communicator, const HostMap& map, int tag,
                         Traffic& traffic)
    : communicator_(communicator),
      map_(map),
      tag_(tag),
      traffic_(traffic),
      messages_(communicator) {}

void SumExchange::begin(const ShardedStep& step, std::span<double> memory, std::size_t width) {
  step_ = &step;
  sums_ = memory.first(step.plan->all_subtrees().size() * width);
  width_ = width;
  started_ = false;
}

std::span<double> SumExchange::of_rank(int rank) const {
  return sums_.subspan(step_->plan->first_subtree(rank) * width_,
                       step_->plan->subtrees_of(rank).size() * width_);
}

bool SumExchange::exchange_with_hosts() {
  if (!started_) start_messages();
  started_ = true;
  return messages_.done();
}

void SumExchange::start_messages() {
  const int my_host = map_.host_of(communicator_.rank());
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const std::span<double> sums = of_rank(rank);
    if (sums.empty()) continue;
    const int host = map_.host_of(rank);
    if (host != my_host) {
      messages_.receive(sums, map_.ranks_of(host)[0], tag_);
      continue;
    }
    for (int other = 0; other < map_.hosts(); ++other) {
      if (other == my_host) continue;
      messages_.send(sums, map_.ranks_of(other)[0], tag_);
      traffic_.count(sums.size_bytes());
    }
  }
}

void SumExchange::add_up(std::span<double> totals) const {
  step_->all_subtrees.add_to_root(sums_, totals);
}

}  // namespace lockstep
