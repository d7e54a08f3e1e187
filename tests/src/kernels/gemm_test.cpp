#include "src/kernels/gemm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "src/core/floating_point.hpp"
#include "src/core/parallel.hpp"
#include "src/core/progress_hook.hpp"
#include "src/core/random.hpp"
#include "src/kernels/exact_products.hpp"
#include "src/kernels/kernels.hpp"

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
  float operator()(std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>(i * columns + j)];
  }
  double at(std::int64_t i, std::int64_t j) const { return static_cast<double>((*this)(i, j)); }
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
  multiply_transposed_a(Numerics::kFast, a.view(), b.view(), {.samples = {&all, 1}}, {0, m * n},
                        c.values.data());
  expect_product(
      c, [&](auto i, auto l) { return a.at(l, i); }, [&](auto l, auto j) { return b.at(l, j); }, k);
}

TEST_P(Products, TransposedAComesInAnyCuts) {
  const auto [m, n, k] = GetParam();
  const Range all{0, k};
  for (const Numerics numerics : {Numerics::kFast, Numerics::kExact}) {
    Owned a(k, m, 1), b(k, n, 2), c(m, n, 3);
    std::int64_t first = 0;
    for (std::int64_t length = 1; first < m * n; length += length + n / 2) {
      const Range elements{first, std::min(first + length, m * n)};
      multiply_transposed_a(numerics, a.view(), b.view(), {.samples = {&all, 1}, .grain = k + 1},
                            elements, c.values.data() + first);
      first = elements.last;
    }
    expect_product(
        c, [&](auto i, auto l) { return a.at(l, i); }, [&](auto l, auto j) { return b.at(l, j); },
        k);
  }
}

/// The columns of b in two products, at their places; elements in any cuts.
TEST_P(Products, TransposedAMakesSomeColumnsOfAMatrix) {
  const auto [m, n, k] = GetParam();
  const Range all{0, k};
  const Subtrees subtrees{.samples = {&all, 1}, .grain = k + 1};
  for (const Numerics numerics : {Numerics::kFast, Numerics::kExact}) {
    Owned a(k, m, 1), b(k, n, 2), c(m, n, 3);
    const ConstStridedMatrix columns = b.view();
    std::int64_t first = 0;
    for (std::int64_t length = 1; first < m * n; length += length + n / 2) {
      const Range elements{first, std::min(first + length, m * n)};
      for (const Range part : {Range{0, n / 3}, Range{n / 3, n}})
        multiply_transposed_a(numerics, a.view(), columns.columns_from(part.first, part.count()),
                              subtrees, elements, c.values.data() + first,
                              {.first = part.first, .all = n});
      first = elements.last;
    }
    expect_product(
        c, [&](auto i, auto l) { return a.at(l, i); }, [&](auto l, auto j) { return b.at(l, j); },
        k);
  }
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

// --- Exact products, bit for bit ---

/// As bits: a NaN equals itself, and -0 is not +0.
std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

/// Two factors' elements at k: of a row of c and of a column of c.
using Factors = std::function<std::pair<float, float>(std::int64_t k)>;

/// The definition: one chain of fused multiply-adds.
float chain(const Factors& factors, Range k) {
  float sum = 0;
  for (std::int64_t l = k.first; l < k.last; ++l) {
    const auto [a, b] = factors(l);
    sum = std::fma(a, b, sum);
  }
  return sum;
}

/// The definition: the chains of the grains, added as grain_tree.hpp describes the tree.
float tree(const Factors& factors, Range k, std::int64_t grain, Range leaves) {
  if (leaves.count() == 0) return 0;
  if (leaves.count() == 1)
    return chain(factors,
                 {k.first + leaves.first * grain, std::min(k.first + leaves.last * grain, k.last)});
  const std::int64_t split = tree_split(leaves);
  return tree(factors, k, grain, {leaves.first, split}) +
         tree(factors, k, grain, {split, leaves.last});
}

/// Every variant that this CPU can run.
class ExactProducts : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (find_exact_gemm(GetParam()) == nullptr)
      GTEST_SKIP() << "this CPU cannot run " << GetParam();
  }
  void TearDown() override { set_threads(1); }

  const ExactGemm& gemm() const { return *find_exact_gemm(GetParam()); }

  void expect_multiply(std::int64_t m, std::int64_t n, std::int64_t k) const {
    Owned a(m, k, 1), b(k, n, 2), c(m, n, 3);
    exact_multiply(gemm(), a.view(), b.view(), c.view());
    const std::vector<float> expected = elements(m, n, [&](auto i, auto j) {
      return chain([&](auto l) { return std::pair(a(i, l), b(l, j)); }, {0, k});
    });
    ASSERT_EQ(bits(c.values), bits(expected)) << m << " x " << n << " x " << k;
  }

  void expect_multiply_transposed_b(std::int64_t m, std::int64_t n, std::int64_t k) const {
    Owned a(m, k, 1), b(n, k, 2), c(m, n, 3);
    exact_multiply_transposed_b(gemm(), a.view(), b.view(), c.view());
    const std::vector<float> expected = elements(m, n, [&](auto i, auto j) {
      return chain([&](auto l) { return std::pair(a(i, l), b(j, l)); }, {0, k});
    });
    ASSERT_EQ(bits(c.values), bits(expected)) << m << " x " << n << " x " << k;
  }

  /// Subtree after subtree of these numbers of samples, from the second sample of the pass on.
  void expect_gradients(std::int64_t m, std::int64_t n, const std::vector<std::int64_t>& samples,
                        std::int64_t grain, std::int64_t positions = 1) const {
    std::vector<Range> ranges;
    std::int64_t first = 1;
    for (const std::int64_t count : samples) ranges.push_back({first, first += count});
    const std::int64_t rows = first * positions;
    const std::int64_t stride = m * n + 5;
    const Subtrees subtrees{ranges, grain, stride, positions};
    Owned a(rows, m, 1), b(rows, n, 2), c(std::ssize(samples), stride, 3);
    Owned sums(std::ssize(samples), stride, 3);
    Owned expected = c, expected_sums = sums;
    expect_same_in_blocks(a, b, subtrees, m, n);
    exact_multiply_transposed_a(gemm(), a.view(), b.view(), subtrees, {0, m}, {0, n},
                                c.values.data());
    exact_sum_rows(gemm(), b.view(), subtrees, {0, n}, sums.values.data());
    for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree) {
      const Range k = subtrees.rows(subtree);
      const Range leaves{0, (samples[subtree] + grain - 1) / grain};
      const auto at = static_cast<std::int64_t>(subtree) * stride;
      const auto product = elements(m, n, [&](auto i, auto j) {
        return tree([&](auto l) { return std::pair(a(l, i), b(l, j)); }, k, grain * positions,
                    leaves);
      });
      const auto sum = elements(1, n, [&](auto, auto j) {
        return tree([&](auto l) { return std::pair(1.0f, b(l, j)); }, k, grain * positions, leaves);
      });
      std::ranges::copy(product, expected.values.begin() + at);
      std::ranges::copy(sum, expected_sums.values.begin() + at);
    }
    ASSERT_EQ(bits(c.values), bits(expected.values))
        << m << " x " << n << ", subtrees of " << ::testing::PrintToString(samples)
        << " samples, grain " << grain << ", positions " << positions;
    ASSERT_EQ(bits(sums.values), bits(expected_sums.values)) << "sums of " << n << " columns";
  }

 private:
  /// Blocks of the product and of the sums, with and without something to fetch meanwhile.
  void expect_same_in_blocks(Owned& a, Owned& b, Subtrees subtrees, std::int64_t m,
                             std::int64_t n) const {
    Owned whole(std::ssize(subtrees.samples), subtrees.stride, 4), cut = whole, fetched = whole;
    exact_multiply_transposed_a(gemm(), a.view(), b.view(), subtrees, {0, m}, {0, n},
                                whole.values.data());
    subtrees.prefetch = reinterpret_cast<const char*>(fetched.values.data()) -
                        reinterpret_cast<const char*>(cut.values.data());
    for (const Range rows : {Range{0, m / 3}, Range{m / 3, m}})
      for (const Range columns : {Range{0, n / 2}, Range{n / 2, n}})
        exact_multiply_transposed_a(gemm(), a.view(), b.view(), subtrees, rows, columns,
                                    cut.values.data() + rows.first * n + columns.first);
    ASSERT_EQ(bits(cut.values), bits(whole.values));

    exact_sum_rows(gemm(), b.view(), subtrees, {0, n}, whole.values.data());
    for (const Range columns : {Range{0, n / 2}, Range{n / 2, n}})
      exact_sum_rows(gemm(), b.view(), subtrees, columns, cut.values.data() + columns.first);
    for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree)
      for (std::int64_t j = 0; j < n; ++j) {
        const auto i =
            static_cast<std::size_t>(static_cast<std::int64_t>(subtree) * subtrees.stride + j);
        ASSERT_EQ(cut.values[i], whole.values[i]);
      }
  }

  static std::vector<float> elements(
      std::int64_t m, std::int64_t n,
      const std::function<float(std::int64_t, std::int64_t)>& element) {
    std::vector<float> c;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c.push_back(element(i, j));
    return c;
  }
};

INSTANTIATE_TEST_SUITE_P(Variants, ExactProducts, ::testing::Values("avx512", "avx2", "portable"),
                         [](const auto& variant) { return std::string(variant.param); });

TEST_P(ExactProducts, AreChainsForEveryHeightAndWidthOfATile) {
  for (std::int64_t m = 0; m <= 33; ++m) expect_multiply(m, 1 + m * 5 % 23, 5);
  for (std::int64_t n = 0; n <= 145; ++n) expect_multiply(1 + n % 14, n, 3);
  for (std::int64_t n = 0; n <= 145; ++n) expect_multiply_transposed_b(1 + n % 14, n, 1 + n % 9);
  for (const std::int64_t n : {1, 8, 15, 16, 20, 31, 36, 40, 55, 63, 64})
    for (std::int64_t m = 1; m <= 17; ++m) expect_multiply(m, n, 2);
}

TEST_P(ExactProducts, AreChainsForEveryDepth) {
  for (const std::int64_t k :
       {0, 1, 2, 3, 4, 5, 7, 8, 127, 128, 129, 255, 256, 257, 385, 513, 784}) {
    expect_multiply(7, 33, k);
    expect_multiply_transposed_b(7, 33, k);
    expect_multiply(2, 70, k);
    expect_multiply_transposed_b(2, 70, k);
  }
}

TEST_P(ExactProducts, AreChainsWhereOperandsAreCopied) {
  expect_multiply(40, 200, 150);
  expect_multiply(61, 131, 300);
  expect_multiply_transposed_b(61, 131, 150);
}

TEST_P(ExactProducts, AreChainsForRandomShapes) {
  const RandomStream random(3, Purpose::kSynthetic, 1);
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto extent = [&](std::uint64_t axis, float largest) {
      return static_cast<std::int64_t>(largest * random.uniform(3 * i + axis));
    };
    expect_multiply(extent(0, 50), extent(1, 150), extent(2, 40));
    expect_multiply_transposed_b(extent(0, 50), extent(1, 150), extent(2, 40));
  }
}

/// c = [a a'] [b; b'] in two products; a' lies among other columns, c among other columns and rows.
TEST_P(ExactProducts, GoOnWithWhatCHolds) {
  for (const auto& [m, n, k] : std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>>{
           {1, 1, 1}, {7, 33, 5}, {50, 200, 300}, {16, 64, 0}})
    for (const std::int64_t more : {0, 1, 9, 270}) {
      Owned a(m, k + more, 1), b(k + more, n, 2), bt(n, k + more, 3);
      Owned whole(m, n, 4), whole_t(m, n, 4), cut(m, n + 3, 5), cut_t(m, n + 3, 5);
      exact_multiply(gemm(), a.view(), b.view(), whole.view());
      exact_multiply_transposed_b(gemm(), a.view(), bt.view(), whole_t.view());
      const ConstStridedMatrix left = a.view(), upper = b.view(), columns = bt.view();
      const StridedMatrix to = StridedMatrix(cut.view()).columns_from(2, n);
      const StridedMatrix to_t = StridedMatrix(cut_t.view()).columns_from(2, n);
      exact_multiply(gemm(), left.columns_from(0, k), upper.rows_from(0, k), to);
      exact_multiply(gemm(), left.columns_from(k, more), upper.rows_from(k, more), to, true);
      exact_multiply_transposed_b(gemm(), left.columns_from(0, k), columns.columns_from(0, k),
                                  to_t);
      exact_multiply_transposed_b(gemm(), left.columns_from(k, more), columns.columns_from(k, more),
                                  to_t, true);
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(cut(i, j + 2)),
                    std::bit_cast<std::uint32_t>(whole(i, j)))
              << m << " x " << n << " x " << k << " + " << more;
          ASSERT_EQ(std::bit_cast<std::uint32_t>(cut_t(i, j + 2)),
                    std::bit_cast<std::uint32_t>(whole_t(i, j)));
        }
      const Owned untouched(m, n + 3, 5);
      for (std::int64_t i = 0; i < m; ++i)
        for (const std::int64_t j : {std::int64_t{0}, std::int64_t{1}, n + 2})
          ASSERT_EQ(cut(i, j), untouched(i, j));
    }
}

TEST_P(ExactProducts, OfWeightGradientsAreTreesForEveryHeightAndWidthOfATile) {
  for (std::int64_t m = 0; m <= 33; ++m) expect_gradients(m, 1 + m * 5 % 23, {6}, 2);
  for (std::int64_t n = 0; n <= 145; ++n) expect_gradients(1 + n % 14, n, {5}, 2);
  for (const std::int64_t n : {1, 8, 15, 16, 20, 31, 36, 40, 55, 63, 64})
    for (std::int64_t m = 1; m <= 17; ++m) expect_gradients(m, n, {3}, 1);
}

TEST_P(ExactProducts, OfWeightGradientsAreTreesForEveryNumberOfGrains) {
  for (std::int64_t grains = 1; grains <= 20; ++grains) {
    expect_gradients(7, 37, {3 * grains}, 3);
    expect_gradients(7, 37, {3 * grains - 1}, 3);
  }
  expect_gradients(3, 5, {257}, 1);
}

TEST_P(ExactProducts, OfWeightGradientsAreOneForEachSubtree) {
  expect_gradients(13, 20, {8, 4, 0, 3}, 2);
  expect_gradients(13, 20, {8, 1}, 8);
  expect_gradients(13, 20, {}, 8);
  expect_gradients(13, 20, {4, 3}, 2, 3);
  expect_gradients(13, 20, {4, 3}, 2, 0);
}

TEST_P(ExactProducts, OfWeightGradientsAreTreesWhereOperandsAreCopied) {
  expect_gradients(50, 210, {40}, 8);
  expect_gradients(101, 300, {16, 7}, 4);
  expect_gradients(50, 138, {150}, 64);
}

TEST_P(ExactProducts, HaveTheSameBitsOnOneTwoAndThreeThreads) {
  for (const auto& [m, n] : {std::pair(64, 500), std::pair(600, 50), std::pair(70, 150)}) {
    const std::int64_t k = 129;
    std::vector<std::vector<std::uint32_t>> results;
    for (const int count : {1, 2, 3}) {
      set_threads(count);
      Owned a(m, k, 1), b(k, n, 2), at(k, m, 3), bt(n, k, 4), c(3 * m, n, 5);
      exact_multiply(gemm(), a.view(), b.view(), {c.values.data(), m, n});
      exact_multiply_transposed_b(gemm(), a.view(), bt.view(), {c.values.data() + m * n, m, n});
      const Range all{0, k};
      exact_multiply_transposed_a(gemm(), at.view(), b.view(), {.samples = {&all, 1}, .grain = 8},
                                  {0, m}, {0, n}, c.values.data() + 2 * m * n);
      results.push_back(bits(c.values));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST_P(ExactProducts, OfARowDoNotDependOnTheOtherRows) {
  const std::int64_t n = 70, k = 150;
  Owned a(40, k, 1), b(k, n, 2), bt(n, k, 3), all(40, n, 4), all_t(40, n, 4);
  exact_multiply(gemm(), a.view(), b.view(), all.view());
  exact_multiply_transposed_b(gemm(), a.view(), bt.view(), all_t.view());
  for (const std::int64_t rows : {1, 3, 17}) {
    Owned some(rows, n, 5), some_t(rows, n, 5);
    const ConstMatrix part{a.view().row(9), rows, k};
    exact_multiply(gemm(), part, b.view(), some.view());
    exact_multiply_transposed_b(gemm(), part, bt.view(), some_t.view());
    for (std::size_t i = 0; i < some.values.size(); ++i) {
      ASSERT_EQ(some.values[i], all.values[9 * static_cast<std::size_t>(n) + i]);
      ASSERT_EQ(some_t.values[i], all_t.values[9 * static_cast<std::size_t>(n) + i]);
    }
  }
}

/// The bits of the three products, of 2^28 multiplications each.
std::vector<std::uint32_t> long_products() {
  const std::int64_t m = 128, n = 2048, k = 1024;
  const Range all{0, k};
  Owned a(m, k, 1), b(k, n, 2), at(k, m, 3), bt(n, k, 4), c(3 * m, n, 5);
  multiply(Numerics::kExact, a.view(), b.view(), {c.values.data(), m, n});
  multiply_transposed_b(Numerics::kExact, a.view(), bt.view(), {c.values.data() + m * n, m, n});
  multiply_transposed_a(Numerics::kExact, at.view(), b.view(), {.samples = {&all, 1}, .grain = 128},
                        {0, m * n}, c.values.data() + 2 * m * n);
  return bits(c.values);
}

TEST(LongProducts, CallWhatGoesOnMeanwhileAndKeepTheirBits) {
  const std::vector<std::uint32_t> expected = long_products();
  for (const int count : {1, 2}) {
    set_threads(count);
    int calls = 0;
    const ProgressHook meanwhile([&] { ++calls; });
    EXPECT_EQ(long_products(), expected);
    EXPECT_EQ(calls, count == 1 ? 9 : 3);  // between quarters of each, or halves
  }
  set_threads(1);
  EXPECT_FALSE(ProgressHook::wanted());
}

TEST(ExactGemm, IsTheVariantOfTheElementwiseKernels) {
  EXPECT_STREQ(exact_gemm().name, kernels().name);
}

TEST(ExactGemm, KnowsNoVariantOfAnotherName) {
  EXPECT_EQ(find_exact_gemm("sse9"), nullptr);
}

TEST(ParallelFor, RunsEveryPartOnceInTheCallersFloatingPointMode) {
  set_threads(3);
  parallel_for(3, [](std::int64_t) {});  // the threads exist before the mode is set
  const FloatingPointEnvironment flush;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    std::vector<int> runs(7);
    std::vector<float> products(7);
    volatile float denormal = 1e-39f;
    parallel_for(7, [&](std::int64_t part) {
      runs[static_cast<std::size_t>(part)] += 1;
      products[static_cast<std::size_t>(part)] = denormal * 1e3f;
    });
    EXPECT_EQ(runs, std::vector<int>(7, 1));
    EXPECT_EQ(products, std::vector<float>(7, 0.0f));
  }
  set_threads(1);
}

TEST(PartOf, CutsARangeAtMultiplesOfTheUnit) {
  EXPECT_EQ(part_of({3, 103}, 0, 3, 10), (Range{3, 33}));
  EXPECT_EQ(part_of({3, 103}, 1, 3, 10), (Range{33, 63}));
  EXPECT_EQ(part_of({3, 103}, 2, 3, 10), (Range{63, 103}));
  EXPECT_EQ(part_of({0, 5}, 0, 2, 10), (Range{0, 0}));
  EXPECT_EQ(part_of({0, 5}, 1, 2, 10), (Range{0, 5}));
}

}  // namespace
}  // namespace lockstep
