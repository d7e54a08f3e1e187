#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/src/kernels/kernel_checks.hpp"

// Pooling of a line of windows, against one window at a time.
namespace lockstep {
namespace {

/// Windows of 2 x 2 x w cells, w from 1 to 3, of which some overlap.
class PooledLine {
 public:
  explicit PooledLine(std::int64_t channels)
      : channels_(channels), x_(random_floats(4 * 9 * channels, 1)) {
    for (std::size_t i = 0; i < x_.size(); i += 5) x_[i] = std::round(x_[i]);  // ties
    for (std::size_t i = 3; i < x_.size(); i += 23) x_[i] = std::nanf("");
    for (std::size_t i = 0; i < x_.size(); i += 31) x_[i] = -0.0f;
  }
  PoolLine line(bool adds) const {
    return {.channels = channels_,
            .outputs = 4,
            .first = first_.data(),
            .last = last_.data(),
            .depth = 2,
            .height = 2,
            .depth_stride = 18 * channels_,
            .height_stride = 9 * channels_,
            .adds = adds};
  }
  const Floats& x() const { return x_; }
  std::int64_t outputs() const { return 4 * channels_; }
  /// f(output, its cells of x) of each output, in order.
  template <class F>
  void for_each(const F& f) const {
    for (std::size_t o = 0; o < 4; ++o)
      for (std::int64_t c = 0; c < channels_; ++c) {
        std::vector<std::size_t> cells;
        for (std::int64_t line = 0; line < 4; ++line)
          for (std::int64_t w = first_[o]; w < last_[o]; ++w)
            cells.push_back(static_cast<std::size_t>((line * 9 + w) * channels_ + c));
        f(o * static_cast<std::size_t>(channels_) + static_cast<std::size_t>(c), cells);
      }
  }

 private:
  std::int64_t channels_;
  Floats x_;
  std::vector<std::int64_t> first_ = {0, 1, 2, 7}, last_ = {1, 3, 5, 9};
};

class PoolingSizes : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(PoolingSizes, MaxPoolingIsThatOfEachWindowInEveryVariant) {
  const PooledLine pooled(GetParam());
  const Floats dy = random_floats(pooled.outputs(), 2);
  Floats expected_y(dy.size()), expected_dx(pooled.x().size(), 0.0f);
  std::vector<std::uint8_t> expected_winners(dy.size());
  pooled.for_each([&](std::size_t o, const std::vector<std::size_t>& cells) {
    std::size_t winner = 0;
    for (std::size_t i = 1; i < cells.size() && !std::isnan(pooled.x()[cells[winner]]); ++i)
      if (std::isnan(pooled.x()[cells[i]]) || pooled.x()[cells[i]] > pooled.x()[cells[winner]])
        winner = i;
    expected_y[o] = pooled.x()[cells[winner]];
    expected_winners[o] = static_cast<std::uint8_t>(winner);
    expected_dx[cells[winner]] += dy[o];
  });
  for (const Kernels* k : all_variants()) {
    Floats y(dy.size()), wide_y(dy.size()), wide(dy.size()), dx(expected_dx.size(), 0.0f);
    std::vector<std::uint8_t> winners(dy.size());
    k->max_pool(pooled.x().data(), y.data(), winners.data(), pooled.line(true));
    expect_bits(y, expected_y, k->name);
    EXPECT_EQ(winners, expected_winners) << k->name;
    std::ranges::fill(y, 0.0f);
    k->max_pool(pooled.x().data(), y.data(), nullptr, pooled.line(true));
    expect_bits(y, expected_y, std::string(k->name) + " without winners");
    k->max_pool_wide(pooled.x().data(), wide_y.data(), wide.data(), pooled.line(true));
    expect_bits(wide_y, expected_y, k->name);
    EXPECT_EQ(wide, Floats(winners.begin(), winners.end())) << k->name;
    k->max_pool_backward(dy.data(), winners.data(), dx.data(), pooled.line(true));
    expect_bits(dx, expected_dx, std::string(k->name) + " backward");
    std::ranges::fill(dx, 0.0f);
    k->max_pool_wide_backward(dy.data(), wide.data(), dx.data(), pooled.line(true));
    expect_bits(dx, expected_dx, std::string(k->name) + " wide backward");
  }
}

TEST_P(PoolingSizes, AveragePoolingIsThatOfEachWindowInEveryVariant) {
  const PooledLine pooled(GetParam());
  const Floats dy = random_floats(pooled.outputs(), 2);
  Floats expected_y(dy.size()), expected_dx(pooled.x().size(), 0.0f);
  pooled.for_each([&](std::size_t o, const std::vector<std::size_t>& cells) {
    double sum = 0;
    for (const std::size_t cell : cells) sum += static_cast<double>(pooled.x()[cell]);
    expected_y[o] = static_cast<float>(sum / static_cast<double>(cells.size()));
    for (const std::size_t cell : cells)
      expected_dx[cell] += dy[o] / static_cast<float>(cells.size());
  });
  for (const Kernels* k : all_variants()) {
    Floats y(dy.size()), dx(expected_dx.size(), 0.0f);
    k->average_pool(pooled.x().data(), y.data(), pooled.line(true));
    expect_bits(y, expected_y, k->name);
    k->average_pool_backward(dy.data(), dx.data(), pooled.line(true));
    expect_bits(dx, expected_dx, std::string(k->name) + " backward");
  }
}

/// Writing, not adding: where windows do not overlap.
TEST_P(PoolingSizes, PoolingWritesEachCellOfSeparateWindowsInEveryVariant) {
  const PooledLine pooled(GetParam());
  std::vector<std::int64_t> first = {0, 3}, last = {3, 9};
  PoolLine line = pooled.line(false);
  line.outputs = 2, line.first = first.data(), line.last = last.data();
  const Floats dy = random_floats(2 * GetParam(), 2);
  expect_same_bits([&](const Kernels& k) {
    Floats y(dy.size()), dx(pooled.x().size(), 7.0f), all;
    std::vector<std::uint8_t> winners(dy.size());
    k.max_pool(pooled.x().data(), y.data(), winners.data(), line);
    k.max_pool_backward(dy.data(), winners.data(), dx.data(), line);
    EXPECT_EQ(std::ranges::count(dx, 7.0f), 0);
    append(all, dx);
    std::ranges::fill(dx, 7.0f);
    k.average_pool_backward(dy.data(), dx.data(), line);
    EXPECT_EQ(std::ranges::count(dx, 7.0f), 0);
    append(all, dx);
    return all;
  });
}

INSTANTIATE_TEST_SUITE_P(All, PoolingSizes, ::testing::Values(0, 1, 7, 16, 31, 64, 1003));

}  // namespace
}  // namespace lockstep
