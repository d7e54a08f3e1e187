#include "distributed/update/message_sums.hpp"

namespace lockstep {

MessageSums::MessageSums(const Communicator& communicator, int tag, std::size_t most_sums,
                         Traffic& traffic)
    : communicator_(communicator),
      tag_(tag),
      traffic_(traffic),
      sums_(most_sums),
      messages_(communicator) {}

void MessageSums::begin_step(const StepPlan& plan, const TreeSum& sum) {
  plan_ = &plan;
  sum_ = &sum;
}

std::span<double> MessageSums::of_rank(int rank, std::size_t width) {
  return std::span(sums_).subspan(plan_->first_subtree(rank) * width,
                                  plan_->subtrees_of(rank).size() * width);
}

std::span<double> MessageSums::of_subtree(std::size_t subtree, std::size_t width) {
  return of_rank(communicator_.rank(), width).subspan(subtree * width, width);
}

void MessageSums::send(std::size_t width, std::span<double> words) {
  const std::span<double> mine = of_rank(communicator_.rank(), width);
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == communicator_.rank()) continue;
    const std::span<double> theirs = of_rank(other, width);
    if (!theirs.empty()) messages_.receive(theirs, other, tag_);
    if (mine.empty()) continue;
    messages_.send(mine, other, tag_);
    traffic_.count(mine.size_bytes());
  }
  for (int other = 0; other < communicator_.size() && !words.empty(); ++other) {
    if (other == communicator_.rank()) continue;
    const auto word_of = [&](int rank) { return words.subspan(static_cast<std::size_t>(rank), 1); };
    messages_.receive(word_of(other), other, tag_);
    messages_.send(word_of(communicator_.rank()), other, tag_);
    traffic_.count(word_of(other).size_bytes());
  }
}

void MessageSums::receive(std::span<double> totals) {
  messages_.wait();
  sum_->add_to_root(std::span(sums_).first(plan_->all_subtrees().size() * totals.size()), totals);
}

void MessageSums::add_up(std::span<double> totals) {
  send(totals.size());
  receive(totals);
}

}  // namespace lockstep
