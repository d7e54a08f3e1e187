#include "src/kernels/gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <tuple>
#include <vector>

#include "src/core/random.hpp"

namespace lockstep {
namespace {

struct Owned {
  std::vector<float> values;
  std::int64_t rows, columns;

  Owned(std::int64_t r, std::int64_t c, std::uint32_t stream)
      : values(static_cast<std::size_t>(r * c)), rows(r), columns(c) {
    const RandomStream random(9, Purpose::kSynthetic, stream);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  }
  Matrix view() { return {values.data(), rows, columns}; }
  double at(std::int64_t i, std::int64_t j) const {
    return static_cast<double>(values[static_cast<std::size_t>(i * columns + j)]);
  }
};

/// (m, n, k); the large ones are cut into pieces inside.
class Products
    : public ::testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, std::int64_t>> {
 protected:
  void expect_product(const Owned& c, const std::function<double(std::int64_t, std::int64_t)>& a,
                      const std::function<double(std::int64_t, std::int64_t)>& b, std::int64_t k) {
    for (std::int64_t i = 0; i < c.rows; ++i)
      for (std::int64_t j = 0; j < c.columns; ++j) {
        double sum = 0;
        for (std::int64_t l = 0; l < k; ++l) sum += a(i, l) * b(l, j);
        ASSERT_NEAR(c.at(i, j), sum, 1e-5 * std::sqrt(static_cast<double>(k + 1)));
      }
  }
};

TEST_P(Products, MultiplyMatchesTheDefinition) {
  const auto [m, n, k] = GetParam();
  Owned a(m, k, 1), b(k, n, 2), c(m, n, 3);
  multiply(Numerics::kFast, a.view(), b.view(), c.view());
  expect_product(
      c, [&](auto i, auto l) { return a.at(i, l); }, [&](auto l, auto j) { return b.at(l, j); }, k);
}

TEST_P(Products, TransposedAMatchesTheDefinition) {
  const auto [m, n, k] = GetParam();
  Owned a(k, m, 1), b(k, n, 2), c(m, n, 3);
  const Range all{0, k};
  multiply_transposed_a(Numerics::kFast, a.view(), b.view(), {.samples = {&all, 1}},
                        c.values.data());
  expect_product(
      c, [&](auto i, auto l) { return a.at(l, i); }, [&](auto l, auto j) { return b.at(l, j); }, k);
}

TEST_P(Products, TransposedBMatchesTheDefinition) {
  const auto [m, n, k] = GetParam();
  Owned a(m, k, 1), b(n, k, 2), c(m, n, 3);
  multiply_transposed_b(Numerics::kFast, a.view(), b.view(), c.view());
  expect_product(
      c, [&](auto i, auto l) { return a.at(i, l); }, [&](auto l, auto j) { return b.at(j, l); }, k);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Products,
                         ::testing::Values(std::tuple(1, 1, 1), std::tuple(3, 5, 7),
                                           std::tuple(0, 4, 3), std::tuple(4, 3, 0),
                                           std::tuple(32, 64, 784), std::tuple(33, 64, 784),
                                           std::tuple(784, 64, 33), std::tuple(1, 10, 32),
                                           std::tuple(129, 130, 131), std::tuple(37, 300, 301)));

}  // namespace
}  // namespace lockstep
