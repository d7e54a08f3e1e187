#include "launch/commands/next_token.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

/// Logarithms of the probabilities, but for a constant.
std::vector<double> scores_of(std::span<const float> outputs, bool probabilities,
                              std::int64_t first) {
  std::vector<double> scores(outputs.size(), kNever);
  for (auto i = static_cast<std::size_t>(first); i < outputs.size(); ++i) {
    check(std::isfinite(outputs[i]), ExitCode::kNumerical,
          "[generate] expected finite outputs of the network, got {} for number {}", outputs[i], i);
    const auto value = static_cast<double>(outputs[i]);
    if (!probabilities) scores[i] = value;
    if (probabilities && value > 0) scores[i] = elementary::log(value);
  }
  return scores;
}

void keep_likeliest(std::vector<double>& scores, std::size_t count) {
  if (count == 0 || count >= scores.size()) return;
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return scores[i]; });
  for (std::size_t i = count; i < order.size(); ++i) scores[order[i]] = kNever;
}

}  // namespace

std::int64_t next_token(std::span<const float> outputs, bool probabilities, std::int64_t first,
                        const Sampling& sampling, double chance) {
  std::vector<double> scores = scores_of(outputs, probabilities, first);
  const auto best = std::ranges::max_element(scores);
  check(best != scores.end() && *best > kNever, ExitCode::kNumerical,
        "[generate] expected a token with a probability above 0, got none");
  if (sampling.temperature == 0) return best - scores.begin();
  const double highest = *best;
  keep_likeliest(scores, static_cast<std::size_t>(sampling.top_k));
  double sum = 0;
  for (double& score : scores) {
    score = score == kNever ? 0 : elementary::exp((score - highest) / sampling.temperature);
    sum += score;
  }
  const double wanted = chance * sum;
  double passed = 0;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == 0) continue;
    chosen = i;
    passed += scores[i];
    if (passed > wanted) break;
  }
  return static_cast<std::int64_t>(chosen);
}

}  // namespace lockstep
