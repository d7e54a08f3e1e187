#include "distributed/update/sum_exchange.hpp"

namespace lockstep {

SumExchange::SumExchange(const Communicator& communicator, const HostMap& map, int tag,
                         Traffic& traffic)
    : communicator_(communicator),
      map_(map),
      tag_(tag),
      traffic_(traffic),
      messages_(communicator) {}

void SumExchange::begin(const ShardedStep& step, std::span<double> memory, std::size_t width,
                        std::span<double> words) {
  step_ = &step;
  sums_ = memory.first(step.plan->all_subtrees().size() * width);
  width_ = width;
  words_ = words;
  started_ = false;
}

std::span<double> SumExchange::of_rank(int rank) const {
  return sums_.subspan(step_->plan->first_subtree(rank) * width_,
                       step_->plan->subtrees_of(rank).size() * width_);
}

bool SumExchange::exchange_with_hosts(Requests word) {
  if (!started_) {
    start_messages();
    if (!words_.empty()) start_words(word);
  }
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

void SumExchange::start_words(Requests word) {
  const int my_host = map_.host_of(communicator_.rank());
  const auto word_of = [&](int host) { return words_.subspan(static_cast<std::size_t>(host), 1); };
  word_of(my_host)[0] = word;
  for (int host = 0; host < map_.hosts(); ++host) {
    if (host == my_host) continue;
    messages_.receive(word_of(host), map_.ranks_of(host)[0], tag_);
    messages_.send(word_of(my_host), map_.ranks_of(host)[0], tag_);
    traffic_.count(word_of(my_host).size_bytes());
  }
}

void SumExchange::add_up(std::span<double> totals) const {
  step_->all_subtrees.add_to_root(sums_, totals);
}

}  // namespace lockstep
