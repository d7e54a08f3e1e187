#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "src/graph/pass.hpp"

namespace lockstep::test {

/// Sums over the batch where one rank has all rows, as one subtree.
class LocalBatchSums final : public BatchSums {
 public:
  std::span<double> of_subtree(std::size_t subtree, std::size_t width) override {
    sums_.resize(std::max(sums_.size(), (subtree + 1) * width));
    return std::span(sums_).subspan(subtree * width, width);
  }
  void add_up(std::span<double> totals) override {
    ++exchanges;
    std::ranges::copy(std::span(sums_).first(totals.size()), totals.begin());
    sums_.clear();
  }
  int exchanges = 0;

 private:
  std::vector<double> sums_;
};

}  // namespace lockstep::test
