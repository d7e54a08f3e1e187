#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "src/core/elementary.hpp"
#include "tests/src/kernels/kernel_checks.hpp"

// Softmax and what is fused with it, against one row at a time.
namespace lockstep {
namespace {

/// One row of softmax as Kernels defines it; returns log(sum exp z).
double softmax_of_row(const float* z, float* p, std::int64_t columns) {
  Floats e(z, z + columns);
  const float top = *std::max_element(e.begin(), e.end());
  for (float& x : e) x = elementary::exp(x - top);
  const float sum = sum_in_lanes(e);
  for (std::size_t j = 0; j < e.size(); ++j) p[j] = e[j] / sum;
  return static_cast<double>(top) + elementary::log(static_cast<double>(sum));
}

class SoftmaxSizes : public ::testing::TestWithParam<std::tuple<std::int64_t, std::int64_t>> {
 protected:
  void SetUp() override {
    std::tie(rows_, columns_) = GetParam();
    z_ = random_floats(rows_ * columns_, 1);
    for (float& x : z_) x *= 10;
    p_.resize(z_.size());
    for (std::int64_t i = 0; i < rows_; ++i) {
      log_sums_.push_back(softmax_of_row(&z_[at(i, 0)], &p_[at(i, 0)], columns_));
      classes_.push_back(static_cast<std::int32_t>((i * 5 + 2) % columns_));
    }
  }
  std::size_t at(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * columns_ + j);
  }

  std::int64_t rows_ = 0, columns_ = 0;
  Floats z_, p_;
  std::vector<double> log_sums_;
  std::vector<std::int32_t> classes_;
};

TEST_P(SoftmaxSizes, SoftmaxIsThatOfEachRowInEveryVariant) {
  for (const Kernels* k : all_variants()) {
    Floats p(z_.size());
    std::vector<double> log_sums(log_sums_.size());
    k->softmax(z_.data(), p.data(), log_sums.data(), rows_, columns_);
    expect_bits(p, p_, k->name);
    expect_bits(log_sums, log_sums_, k->name);

    Floats in_place = z_;
    k->softmax(in_place.data(), in_place.data(), nullptr, rows_, columns_);
    expect_bits(in_place, p_, std::string(k->name) + " in place");

    std::vector<double> sums_alone(log_sums_.size());
    k->softmax(z_.data(), nullptr, sums_alone.data(), rows_, columns_);
    expect_bits(sums_alone, log_sums_, std::string(k->name) + " sums alone");
  }
}

TEST_P(SoftmaxSizes, SoftmaxBackwardIsThatOfEachRowInEveryVariant) {
  const Floats dy = random_floats(rows_ * columns_, 2);
  Floats expected(dy.size());
  for (std::int64_t i = 0; i < rows_; ++i) {
    Floats products;
    for (std::int64_t j = 0; j < columns_; ++j) products.push_back(dy[at(i, j)] * p_[at(i, j)]);
    const float dot = sum_in_lanes(products);
    for (std::int64_t j = 0; j < columns_; ++j)
      expected[at(i, j)] = p_[at(i, j)] * (dy[at(i, j)] - dot);
  }
  for (const Kernels* k : all_variants()) {
    Floats dx = dy;
    k->softmax_backward(p_.data(), dx.data(), rows_, columns_);
    expect_bits(dx, expected, k->name);
  }
}

TEST_P(SoftmaxSizes, LogSoftmaxIsThatOfEachRowInEveryVariant) {
  const Floats dy = random_floats(rows_ * columns_, 2);
  Floats expected_y(z_.size()), expected_dx(z_.size());
  for (std::int64_t i = 0; i < rows_; ++i) {
    Floats row;
    for (std::int64_t j = 0; j < columns_; ++j) row.push_back(dy[at(i, j)]);
    const float sum = sum_in_lanes(row);
    for (std::int64_t j = 0; j < columns_; ++j) {
      expected_y[at(i, j)] = static_cast<float>(static_cast<double>(z_[at(i, j)]) -
                                                log_sums_[static_cast<std::size_t>(i)]);
      expected_dx[at(i, j)] = dy[at(i, j)] - elementary::exp(expected_y[at(i, j)]) * sum;
    }
  }
  for (const Kernels* k : all_variants()) {
    Floats y = z_, dx = dy;
    k->log_softmax(y.data(), rows_, columns_);
    k->log_softmax_backward(y.data(), dx.data(), rows_, columns_);
    expect_bits(y, expected_y, k->name);
    expect_bits(dx, expected_dx, std::string(k->name) + " backward");
  }
}

TEST_P(SoftmaxSizes, SparseCrossentropyIsThatOfEachRowInEveryVariant) {
  constexpr float kScale = 1.0f / 3;
  Floats expected_g(z_.size());
  std::vector<double> expected_losses;
  for (std::int64_t i = 0; i < rows_; ++i) {
    const std::int64_t c = classes_[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < columns_; ++j)
      expected_g[at(i, j)] = kScale * (p_[at(i, j)] - (j == c ? 1.0f : 0.0f));
    expected_losses.push_back(log_sums_[static_cast<std::size_t>(i)] -
                              static_cast<double>(z_[at(i, c)]));
  }
  for (const Kernels* k : all_variants()) {
    std::vector<double> losses(expected_losses.size());
    const auto run = [&](const float* z, float* p, float* g) {
      losses.assign(losses.size(), 0);
      k->sparse_crossentropy(z, classes_.data(), p, g, losses.data(), rows_, columns_, kScale);
      expect_bits(losses, expected_losses, k->name);
    };
    Floats p = z_, g(z_.size());
    run(p.data(), p.data(), g.data());
    expect_bits(p, p_, k->name);
    expect_bits(g, expected_g, k->name);

    p = z_;
    run(p.data(), p.data(), nullptr);
    expect_bits(p, p_, k->name);

    g.assign(g.size(), 0);
    run(z_.data(), g.data(), g.data());
    expect_bits(g, expected_g, k->name);

    run(z_.data(), nullptr, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SoftmaxSizes,
                         ::testing::Combine(::testing::Values(1, 3, 70),
                                            ::testing::Values(1, 2, 10, 16, 17, 47, 1003)));

TEST(SoftmaxKernels, OfARowWithANaNIsNaN) {
  for (const Kernels* k : all_variants())
    for (std::size_t place = 0; place < 20; ++place) {
      Floats z(20, 1.0f);
      z[place] = std::nanf("");
      double log_sum = 0;
      k->softmax(z.data(), z.data(), &log_sum, 1, 20);
      EXPECT_TRUE(std::isnan(log_sum));
      for (const float p : z) EXPECT_TRUE(std::isnan(p));
    }
}

TEST(SoftmaxKernels, TouchesNoNeighbours) {
  for (const Kernels* k : all_variants()) {
    Floats z(3 * 5 + 32, 7.0f);
    k->softmax(&z[16], &z[16], nullptr, 3, 5);
    EXPECT_EQ(std::count(z.begin(), z.end(), 7.0f), 32);
  }
}

}  // namespace
}  // namespace lockstep
