#include "src/core/elementary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string>

namespace lockstep {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct FloatFunction {
  std::string name;
  float (*ours)(float);
  double (*libms)(double);
};

const FloatFunction kFloatFunctions[] = {
    {"exp", elementary::exp, std::exp},
    {"expm1", elementary::expm1, std::expm1},
    {"log", elementary::log, std::log},
    {"log1p", elementary::log1p, std::log1p},
    {"tanh", elementary::tanh, std::tanh},
    {"erf", elementary::erf, std::erf},
    {"sigmoid", elementary::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"softplus", elementary::softplus,
     [](double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::abs(x))) + 0 * x; }},
};

/// Units in the last place of a number type with that many bits and smallest exponent.
double ulps(double error, double wanted, int digits, int lowest) {
  int exponent = 0;
  std::frexp(wanted, &exponent);
  return std::abs(error) / std::ldexp(1.0, std::max(exponent - digits, lowest));
}

/// Calls body(x) for floats of every sign and exponent, infinities and NaNs among them.
template <class Body>
void for_all_kinds_of_floats(Body body) {
  constexpr std::uint32_t kStride = 40009;
  for (std::uint64_t bits = 0; bits <= 0xffffffffu; bits += kStride)
    body(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
}

class FloatFunctions : public ::testing::TestWithParam<FloatFunction> {};

TEST_P(FloatFunctions, AreWithin51HundredthsOfAnUlpOfTheTruth) {
  for_all_kinds_of_floats([](float x) {
    const float got = GetParam().ours(x);
    const double wanted = GetParam().libms(static_cast<double>(x));
    if (std::isnan(wanted) || std::isnan(x)) {
      EXPECT_TRUE(std::isnan(got)) << x;
    } else if (std::isinf(static_cast<float>(wanted))) {
      EXPECT_EQ(got, static_cast<float>(wanted)) << x;
    } else {
      EXPECT_LE(ulps(static_cast<double>(got) - wanted, wanted, 24, -149), 0.51)
          << x << ": " << got << " instead of " << wanted;
    }
  });
}

TEST_P(FloatFunctions, KeepTheSignOfZero) {
  for (const float zero : {0.0f, -0.0f}) {
    const double wanted = GetParam().libms(static_cast<double>(zero));
    const float got = GetParam().ours(zero);
    EXPECT_EQ(got, static_cast<float>(wanted));
    EXPECT_EQ(std::signbit(got), std::signbit(wanted));
  }
}

TEST_P(FloatFunctions, NeverFall) {
  // Neighbouring floats, around the borders between two reductions.
  const bool positive_only = GetParam().name.starts_with("log");
  for (int n = positive_only ? 1 : -20; n <= 20; ++n) {
    float x = static_cast<float>((n - 0.5) * std::numbers::ln2);
    for (int i = 0; i < 50; ++i) x = std::nextafter(x, -kInf);
    float last = GetParam().ours(x);
    for (int i = 0; i < 100; ++i) {
      x = std::nextafter(x, kInf);
      const float next = GetParam().ours(x);
      EXPECT_GE(next, last) << x;
      last = next;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Elementary, FloatFunctions, ::testing::ValuesIn(kFloatFunctions),
                         [](const auto& tested) { return tested.param.name; });

TEST(Elementary, ExpOfFloatOverflowsAndUnderflowsAsLibms) {
  EXPECT_EQ(elementary::exp(88.7f), std::exp(88.7f));
  EXPECT_EQ(elementary::exp(89.0f), kInf);
  EXPECT_EQ(elementary::exp(kInf), kInf);
  EXPECT_GT(elementary::exp(-103.0f), 0.0f);
  EXPECT_EQ(elementary::exp(-104.0f), 0.0f);
  EXPECT_EQ(elementary::exp(-kInf), 0.0f);
  EXPECT_EQ(elementary::exp(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(elementary::exp(kNaN)));
}

TEST(Elementary, LogOfZeroIsMinusInfinityAndOfLessNotANumber) {
  EXPECT_EQ(elementary::log(0.0f), -kInf);
  EXPECT_EQ(elementary::log(-0.0f), -kInf);
  EXPECT_EQ(elementary::log(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(elementary::log(-1e-30f)));
  EXPECT_TRUE(std::isnan(elementary::log(-kInf)));
  EXPECT_EQ(elementary::log(kInf), kInf);
  EXPECT_EQ(elementary::log1p(-1.0f), -kInf);
  EXPECT_TRUE(std::isnan(elementary::log1p(-1.5f)));
  EXPECT_EQ(elementary::log1p(kInf), kInf);
  EXPECT_EQ(elementary::log(1.0), 0.0);
}

TEST(Elementary, SaturatesExactly) {
  EXPECT_EQ(elementary::tanh(10.0f), 1.0f);
  EXPECT_EQ(elementary::tanh(-kInf), -1.0f);
  EXPECT_EQ(elementary::erf(4.5f), 1.0f);
  EXPECT_EQ(elementary::erf(-kInf), -1.0f);
  EXPECT_EQ(elementary::expm1(-kInf), -1.0f);
  EXPECT_EQ(elementary::sigmoid(kInf), 1.0f);
  EXPECT_EQ(elementary::sigmoid(-kInf), 0.0f);
  EXPECT_EQ(elementary::softplus(kInf), kInf);
}

TEST(Elementary, OddFunctionsAreExactlyOdd) {
  for (float x = 1e-6f; x < 20; x *= 1.01f) {
    EXPECT_EQ(elementary::tanh(-x), -elementary::tanh(x));
    EXPECT_EQ(elementary::erf(-x), -elementary::erf(x));
  }
}

/// Expects at most `limit` ulp of error at 20000 points of [low, high].
void expect_close(double (*ours)(double), double (*libms)(double), double low, double high,
                  double limit) {
  constexpr int kPoints = 20000;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = low + (high - low) * i / kPoints;
    const double wanted = libms(x);
    ASSERT_LE(ulps(ours(x) - wanted, wanted, 53, -1074), limit) << x;
  }
}

// libm's own error, below 1 ulp, comes on top of ours.
TEST(Elementary, DoubleFunctionsAreWithinThreeUlpOfLibms) {
  expect_close(elementary::exp, std::exp, -745, 709.7, 3);
  expect_close(elementary::exp, std::exp, -1, 1, 3);
  expect_close(elementary::log, std::log, 1e-300, 1e-290, 3);
  expect_close(elementary::log, std::log, 5e-324, 1e-308, 3);
  expect_close(elementary::log, std::log, 0.5, 2, 3);
  expect_close(elementary::log, std::log, 2, 1e10, 3);
  expect_close(elementary::log1p, std::log1p, -0.999, 3, 3);
  expect_close(elementary::log1p, std::log1p, -1e-7, 1e-7, 3);
  expect_close(elementary::log1p, std::log1p, 1e5, 1e18, 3);
  expect_close(elementary::cos, std::cos, -7, 7, 3);
  expect_close(elementary::cos, std::cos, 1.5, 1.6, 3);
}

TEST(Elementary, DoubleFunctionsHaveLibmsSpecialValues) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(elementary::exp(710.0), kInfinity);
  EXPECT_EQ(elementary::exp(kInfinity), kInfinity);
  EXPECT_EQ(elementary::exp(-746.0), 0.0);
  EXPECT_EQ(elementary::exp(-kInfinity), 0.0);
  EXPECT_EQ(elementary::exp(0.0), 1.0);
  EXPECT_EQ(elementary::cos(0.0), 1.0);
  EXPECT_EQ(elementary::cos(std::numbers::pi), -1.0);
  EXPECT_EQ(elementary::cos(std::numbers::pi / 2), std::cos(std::numbers::pi / 2));
  EXPECT_TRUE(std::isnan(elementary::cos(kInfinity)));
  EXPECT_EQ(elementary::log(kInfinity), kInfinity);
  EXPECT_TRUE(std::signbit(elementary::log1p(-0.0)));
  EXPECT_EQ(elementary::log1p(kInfinity), kInfinity);
  for (double (*function)(double) :
       {elementary::exp, elementary::log, elementary::log1p, elementary::cos})
    EXPECT_TRUE(std::isnan(function(std::numeric_limits<double>::quiet_NaN())));
}

/// FNV-1a.
class BitHash {
 public:
  void add(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3; }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

TEST(Elementary, HasTheSameBitsOnEveryMachine) {
  BitHash floats;
  for (const FloatFunction& function : kFloatFunctions)
    for_all_kinds_of_floats([&](float x) {
      const float y = function.ours(x);
      if (!std::isnan(y)) floats.add(std::bit_cast<std::uint32_t>(y));
    });
  EXPECT_EQ(floats.value(), 8977423335746319223u);

  BitHash doubles;
  for (int i = 0; i < 100000; ++i) {
    const double x = 0.001 * (i - 50000);
    doubles.add(std::bit_cast<std::uint64_t>(elementary::exp(x)));
    doubles.add(std::bit_cast<std::uint64_t>(elementary::cos(x)));
    doubles.add(std::bit_cast<std::uint64_t>(elementary::log(x * x + 1e-3)));
    doubles.add(std::bit_cast<std::uint64_t>(elementary::log1p(x * x - 0.5)));
  }
  EXPECT_EQ(doubles.value(), 8714860446811497032u);
}

}  // namespace
}  // namespace lockstep
