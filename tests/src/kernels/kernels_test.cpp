#include "src/kernels/kernels.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "src/core/random.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;

Floats random_floats(std::int64_t count, std::uint32_t stream) {
  const RandomStream random(5, Purpose::kSynthetic, stream);
  Floats values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 4 * random.uniform(i) - 2;
  return values;
}

Floats squares(Floats values) {
  for (float& v : values) v *= v;
  return values;
}

/// Runs `body` with each variant of this machine and expects the bits of the portable one.
void expect_same_bits(const std::function<Floats(const Kernels&)>& body) {
  const Floats expected = body(*find_kernels("portable"));
  for (const char* name : {"avx2", "avx512"}) {
    const Kernels* variant = find_kernels(name);
    if (variant == nullptr) continue;
    const Floats got = body(*variant);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << name << " element " << i;
  }
}

class KernelSizes : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(KernelSizes, UpdatesHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats g = random_floats(n, 1);
  expect_same_bits([&](const Kernels& k) {
    Floats w = random_floats(n, 2), m = random_floats(n, 3), v = squares(random_floats(n, 4));
    k.adam(w.data(), g.data(), m.data(), v.data(), n, {1e-3f, 0.1f, 1e-3f, 1e-7f});
    w.insert(w.end(), m.begin(), m.end());
    w.insert(w.end(), v.begin(), v.end());
    return w;
  });
  expect_same_bits([&](const Kernels& k) {
    Floats w = random_floats(n, 2), m = random_floats(n, 3), v = squares(random_floats(n, 4)),
           top = squares(random_floats(n, 5));
    k.adam_amsgrad(w.data(), g.data(), m.data(), v.data(), top.data(), n,
                   {1e-3f, 0.1f, 1e-3f, 1e-7f});
    w.insert(w.end(), top.begin(), top.end());
    return w;
  });
  for (const bool nesterov : {false, true})
    expect_same_bits([&](const Kernels& k) {
      Floats w = random_floats(n, 2), velocity = random_floats(n, 3);
      k.sgd_momentum(w.data(), g.data(), velocity.data(), n, {0.01f, 0.9f, nesterov});
      w.insert(w.end(), velocity.begin(), velocity.end());
      return w;
    });
  expect_same_bits([&](const Kernels& k) {
    Floats w = random_floats(n, 2);
    k.sgd(w.data(), g.data(), n, 0.01f);
    return w;
  });
}

TEST_P(KernelSizes, ElementWiseLoopsHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats x = random_floats(n, 1);
  expect_same_bits([&](const Kernels& k) {
    Floats y(x.size());
    k.scale_shift(x.data(), y.data(), n, 1.0f / 255, 0.3f);
    k.relu(y.data(), n);
    k.multiply(y.data(), x.data(), y.data(), n);
    k.add(x.data(), y.data(), n);
    Floats dy = random_floats(n, 2);
    k.relu_backward(x.data(), dy.data(), n);
    y.insert(y.end(), dy.begin(), dy.end());
    return y;
  });
  expect_same_bits([&](const Kernels& k) {
    std::vector<std::uint8_t> bytes(x.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    Floats y(x.size());
    k.bytes_to_floats(bytes.data(), y.data(), n);
    return y;
  });
}

TEST_P(KernelSizes, RowLoopsHaveTheSameBitsInEveryVariant) {
  const std::int64_t columns = GetParam(), rows = 7;
  const Floats bias = random_floats(columns, 1);
  expect_same_bits([&](const Kernels& k) {
    Floats z = random_floats(rows * columns, 2), sums(bias.size());
    k.add_bias(z.data(), bias.data(), rows, columns);
    k.add_bias_relu(z.data(), bias.data(), rows, columns);
    k.column_sums(z.data(), sums.data(), rows, columns);
    z.insert(z.end(), sums.begin(), sums.end());
    return z;
  });
}

INSTANTIATE_TEST_SUITE_P(All, KernelSizes, ::testing::Values(0, 1, 7, 16, 31, 64, 1003));

TEST(Kernels, ColumnSumsAddRowsInOrder) {
  // (1e8 + 1) - 1e8 is 0 in float32, 1e8 - 1e8 + 1 is 1.
  const Floats x{1e8f, 1.0f, -1e8f};
  float sum = 5;
  kernels().column_sums(x.data(), &sum, 3, 1);
  EXPECT_EQ(sum, 0.0f);
}

TEST(Kernels, ReluOfNaNIsNaNSoThatFaultsStayVisible) {
  float z = std::nanf("");
  const float bias = 1;
  kernels().add_bias_relu(&z, &bias, 1, 1);
  EXPECT_TRUE(std::isnan(z));
}

TEST(Kernels, UnknownVariantIsNotFound) { EXPECT_EQ(find_kernels("sse9"), nullptr); }

}  // namespace
}  // namespace lockstep
