#include "distributed/update/loss_sum_exchange.hpp"

namespace lockstep {

LossSumExchange::LossSumExchange(const Communicator& communicator, const Communicator& host,
                                 const HostMap& map, std::span<double> memory, std::size_t width,
                                 Traffic& traffic)
    : communicator_(communicator),
      host_(host),
      map_(map),
      traffic_(traffic),
      width_(width),
      sums_(memory),
      totals_(width),
      messages_(communicator) {}

void LossSumExchange::begin_step(const ShardedStep& step) {
  step_ = &step;
  sent_ = known_ = false;
}

std::span<double> LossSumExchange::of_rank(int rank) const {
  return sums_.subspan(step_->plan->first_subtree(rank) * width_,
                       step_->plan->subtrees_of(rank).size() * width_);
}

bool LossSumExchange::advance(HostSteps& flags) {
  if (known_ || flags.all_arrived() == 0) return false;
  if (map_.hosts() > 1) {
    if (host_.is_root()) {
      if (!sent_) exchange_with_hosts();
      if (!messages_.done()) return false;
      flags.announce();
    } else if (!flags.announced()) {
      return false;
    }
  }
  step_->all_subtrees.add_to_root(sums_.first(step_->plan->all_subtrees().size() * width_),
                                  totals_);
  return known_ = true;
}

void LossSumExchange::exchange_with_hosts() {
  const int my_host = map_.host_of(communicator_.rank());
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const std::span<double> sums = of_rank(rank);
    if (sums.empty()) continue;
    const int host = map_.host_of(rank);
    if (host != my_host) {
      messages_.receive(sums, map_.ranks_of(host)[0], kLossSumsTag);
      continue;
    }
    for (int other = 0; other < map_.hosts(); ++other) {
      if (other == my_host) continue;
      messages_.send(sums, map_.ranks_of(other)[0], kLossSumsTag);
      traffic_.count(sums.size_bytes());
    }
  }
  sent_ = true;
}

}  // namespace lockstep
