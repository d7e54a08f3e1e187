#include "src/kernels/kernels.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/kernels/activation_functions.hpp"
#include "tests/src/kernels/kernel_checks.hpp"

namespace lockstep {
namespace {

Floats squares(Floats values) {
  for (float& v : values) v *= v;
  return values;
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

/// Of w and two more arrays after two updates by the gradients.
template <class Update>
Floats updated(std::int64_t n, const Update& update) {
  const Floats g = random_floats(n, 1);
  Floats w = random_floats(n, 2), a(w.size(), 0.1f), b(w.size(), 0.2f);
  for (int step = 0; step < 2; ++step) update(w.data(), g.data(), a.data(), b.data());
  w.insert(w.end(), a.begin(), a.end());
  w.insert(w.end(), b.begin(), b.end());
  return w;
}

TEST_P(KernelSizes, UpdatesOfOtherOptimizersHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  using Arrays = void (*)(const Kernels&, float*, const float*, float*, float*, std::int64_t);
  const Arrays updates[] = {
      [](const Kernels& k, float* w, const float* g, float* a, float*, std::int64_t n) {
        k.rmsprop(w, g, a, nullptr, nullptr, n, {0.01f, 0.9f, 0.1f, 0, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.rmsprop(w, g, a, b, nullptr, n, {0.01f, 0.9f, 0.1f, 0.5f, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.rmsprop(w, g, a, nullptr, b, n, {0.01f, 0.9f, 0.1f, 0, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float*, std::int64_t n) {
        k.adagrad(w, g, a, n, 0.01f, 1e-7f);
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.adadelta(w, g, a, b, n, {1, 0.9f, 0.1f, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.adamax(w, g, a, b, n, {0.01f, 0.1f, 0.9f, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.nadam(w, g, a, b, n, {0.01f, 0.02f, 10, 0.1f, 0.1f, 1e-7f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float*, std::int64_t n) {
        k.lion(w, g, a, n, {0.01f, 0.9f, 0.1f, 0.99f, 0.01f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.ftrl(w, g, a, b, n, {0.1f, 0.5f, 0.01f, 0.02f, 0.03f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.ftrl(w, g, a, b, n, {0.1f, 0.7f, 0.01f, 0.02f, 0.03f});
      },
      [](const Kernels& k, float* w, const float* g, float* a, float* b, std::int64_t n) {
        k.sum_divided(g, a, a, n, 3);
        k.scaled(a, b, n, 0.7f);
        k.clipped(b, b, n, 0.1f);
        k.decay_weights(w, n, 0.3f, 0.1f);
        k.average_weights(w, a, n, 0.9f);
      }};
  for (const Arrays update : updates)
    expect_same_bits([&](const Kernels& k) {
      return updated(
          n, [&](float* w, const float* g, float* a, float* b) { update(k, w, g, a, b, n); });
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
    k.sum(x.data(), y.data(), y.data(), n);
    Floats dy = random_floats(n, 2);
    k.relu_backward(x.data(), dy.data(), n);
    y.insert(y.end(), dy.begin(), dy.end());
    return y;
  });
  expect_same_bits([&](const Kernels& k) {
    std::vector<std::uint8_t> bytes(x.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    Floats y(x.size());
    k.scaled_bytes(bytes.data(), y.data(), n, 1.0f / 255, 0.3f);
    return y;
  });
}

TEST_P(KernelSizes, LoopsOfMergingAndNoiseHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const auto size = static_cast<std::size_t>(n);
  const Floats a = random_floats(n, 1), dy = random_floats(n, 3);
  Floats b = random_floats(n, 2);
  for (std::size_t i = 0; i < size; i += 3) b[i] = a[i];
  std::vector<std::uint32_t> words(2 * size);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = static_cast<std::uint32_t>(i * 2654435761u);
  const float one_alpha = 0.3f;
  expect_same_bits([&](const Kernels& k) {
    Floats all;
    const auto add = [&](const auto& fill) {
      Floats y(size);
      fill(y.data());
      all.insert(all.end(), y.begin(), y.end());
    };
    add([&](float* y) { k.difference(a.data(), b.data(), y, n); });
    add([&](float* y) { k.maximum(a.data(), b.data(), y, n); });
    add([&](float* y) { k.minimum(a.data(), b.data(), y, n); });
    add([&](float* y) { k.where_at_least(a.data(), b.data(), dy.data(), y, n); });
    add([&](float* y) { k.where_not_at_least(a.data(), b.data(), dy.data(), y, n); });
    add([&](float* y) { k.prelu(a.data(), b.data(), 1, y, n); });
    add([&](float* y) { k.prelu(a.data(), &one_alpha, 0, y, n); });
    add([&](float* y) { k.prelu_backward(a.data(), b.data(), 1, dy.data(), y, n); });
    add([&](float* y) { k.prelu_backward(a.data(), &one_alpha, 0, dy.data(), y, n); });
    add([&](float* y) { k.prelu_products(a.data(), dy.data(), y, n); });
    add([&](float* y) { k.normals(words.data(), y, n, 1, 0.5); });
    return all;
  });
}

TEST_P(KernelSizes, RecurrentLoopsHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats a = random_floats(n, 1), b = random_floats(n, 2), c = random_floats(n, 3),
               d = random_floats(n, 4);
  expect_same_bits([&](const Kernels& k) {
    Floats all = random_floats(n, 5), dc = random_floats(n, 6), dh = random_floats(n, 7);
    Floats h = random_floats(n, 8), dz(static_cast<std::size_t>(4 * n));
    const auto append = [&](const Floats& more) {
      all.insert(all.end(), more.begin(), more.end());
    };
    k.multiply_add(a.data(), b.data(), all.data(), n);
    Floats cell = c;
    k.lstm_cell({.i = a.data(), .f = b.data(), .g = d.data()}, cell.data(), n);
    append(cell);
    k.lstm_cell_backward({.i = a.data(), .f = b.data(), .g = d.data()}, c.data(), d.data(),
                         dh.data(), dc.data(), dz.data(), n);
    append(dc);
    append(dz);
    k.gru_state(a.data(), b.data(), h.data(), n);
    append(h);
    k.gru_state_backward(a.data(), b.data(), c.data(), dh.data(), dz.data(), dc.data(), n);
    append(dh);
    append(dz);
    append(dc);
    return all;
  });
}

TEST_P(KernelSizes, RowLoopsHaveTheSameBitsInEveryVariant) {
  const std::int64_t columns = GetParam(), rows = 7;
  const Floats bias = random_floats(columns, 1);
  expect_same_bits([&](const Kernels& k) {
    Floats z = random_floats(rows * columns, 2);
    k.add_bias(z.data(), bias.data(), rows, columns);
    k.add_bias_relu(z.data(), bias.data(), rows, columns);
    return z;
  });
}

/// `values` as floats, both halves of each double.
Floats bits_of(const std::vector<double>& values) {
  Floats floats(2 * values.size());
  if (!values.empty()) std::memcpy(floats.data(), values.data(), values.size() * sizeof(double));
  return floats;
}

TEST_P(KernelSizes, NormalizationOfRowsHasTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats x = random_floats(n, 1), dy = random_floats(n, 2), scale = random_floats(n, 3);
  const Moments moments{0.3f, 1e-9f, 1.7f};
  expect_same_bits([&](const Kernels& k) {
    const auto [sum, squares] = k.row_sums(x.data(), n);
    Floats all = bits_of({sum, squares}), y(x.size());
    k.normalize_row(x.data(), y.data(), n, moments, scale.data(), dy.data());
    append(all, y);
    k.normalize_row_backward(x.data(), dy.data(), y.data(), n, moments, scale.data(), 0.2, 0.3);
    append(all, y);
    k.add_row_products(x.data(), dy.data(), y.data(), n, moments);
    append(all, y);
    return all;
  });
}

TEST_P(KernelSizes, NormalizationOfColumnsHasTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam(), rows = 5, stride = n + 3;
  const Floats x = random_floats(rows * stride, 1), dy = random_floats(rows * stride, 2);
  std::array<Floats, 6> of_column;
  for (std::size_t i = 0; i < of_column.size(); ++i)
    of_column[i] = random_floats(n, static_cast<std::uint32_t>(3 + i));
  const auto& [mean, rest, inverse, scale, a, b] = of_column;
  const ColumnMoments moments{mean.data(), rest.data(), inverse.data(), scale.data()};
  const Columns columns{rows, n, stride};
  expect_same_bits([&](const Kernels& k) {
    std::vector<double> sums(a.size(), 0.25), products(a.size(), 0.5);
    k.add_columns(x.data(), sums.data(), products.data(), columns);
    k.add_columns_backward(x.data(), dy.data(), sums.data(), products.data(), columns, moments);
    Floats all = bits_of(sums), y = x, dx = dy, more = a;
    append(all, bits_of(products));
    k.normalize_columns(y.data(), y.data(), columns, moments, a.data());
    append(all, y);
    k.normalize_columns_backward(x.data(), dx.data(), dx.data(), columns, moments, a.data(),
                                 b.data());
    append(all, dx);
    k.add_column_products(x.data(), dy.data(), more.data(), columns, moments);
    append(all, more);
    return all;
  });
}

TEST_P(KernelSizes, MixedPositionsHaveTheSameBitsInEveryVariant) {
  const std::int64_t channels = GetParam(), positions = 4;
  const std::vector<PositionTerm> terms{{0, 0.3f}, {2, 0.7f}, {1, 1.0f}, {3, 0.1f}, {1, 0.2f}};
  const std::vector<std::int64_t> ends{2, 3, 3, 5};
  const Floats x = random_floats(channels * positions, 1);
  Floats expected;
  for (std::size_t p = 0; p < ends.size(); ++p)
    for (std::int64_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (std::int64_t i = p == 0 ? 0 : ends[p - 1]; i < ends[p]; ++i) {
        const auto& [position, weight] = terms[static_cast<std::size_t>(i)];
        sum = std::fma(x[static_cast<std::size_t>(position * channels + c)], weight, sum);
      }
      expected.push_back(sum);
    }
  expect_same_bits([&](const Kernels& k) {
    Floats y(expected.size());
    k.mix_positions(x.data(), terms.data(), ends.data(), positions, channels, y.data());
    EXPECT_EQ(y, expected);
    return y;
  });
}

// --- Activations and regularizers: against one element or one row at a time ---

/// From -24 to 24, with special values in between.
Floats wide_floats(std::int64_t count, std::uint32_t stream) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const auto special =
      std::to_array<float>({0.0f, -0.0f, kInf, -kInf, kNaN, 1e-30f, -1e-30f, 100, -100, 1e-42f});
  Floats values = random_floats(count, stream);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] *= 12;
    if (i % 5 == 3) values[i] = special[i / 5 % special.size()];
  }
  return values;
}

TEST_P(KernelSizes, ActivationsHaveTheSameBitsInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats x = wide_floats(n, 1);
  const Floats dy = random_floats(n, 2);
  const ActivationConstants constants{.alpha = 0.3f, .max_value = 1.5f, .threshold = 0.25f};
  for (std::size_t i = 0; i < kActivations; ++i) {
    if (kernels().activations[i].forward == nullptr) continue;
    Floats expected_y, expected_dx;
    for (const Kernels* variant : all_variants()) {
      const ElementWise& kernel = variant->activations[i];
      Floats y = x, dx = dy;
      kernel.forward(y.data(), n, constants);
      kernel.backward(x.data(), dx.data(), n, constants);
      if (expected_y.empty()) expected_y = y, expected_dx = dx;
      const std::string where = fmt::format("{} {}", variant->name, i);
      expect_bits(y, expected_y, where);
      expect_bits(dx, expected_dx, where + " backward");
    }
  }
}

TEST_P(KernelSizes, ActivationsAreTheFunctionsOfEachElement) {
  namespace f = activation_functions;
  struct Case {
    Activation activation;
    float (*function)(float);
    float (*derivative)(float);
  };
  const std::int64_t n = GetParam();
  const Floats x = wide_floats(n, 1);
  const Floats dy = random_floats(n, 2);
  for (const Case& tested : {
           Case{Activation::kSigmoid, f::sigmoid, f::sigmoid_derivative},
           Case{Activation::kTanh, f::tanh, f::tanh_derivative},
           Case{Activation::kSelu, f::selu, f::selu_derivative},
           Case{Activation::kGelu, f::gelu, f::gelu_derivative},
           Case{Activation::kSilu, f::silu, f::silu_derivative},
           Case{Activation::kSoftplus, f::softplus, f::softplus_derivative},
           Case{Activation::kMish, f::mish, f::mish_derivative},
           Case{Activation::kSoftsign, f::softsign, f::softsign_derivative},
       }) {
    const ElementWise& kernel = kernels().activations[static_cast<std::size_t>(tested.activation)];
    Floats expected_y(x.size()), expected_dx(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected_y[i] = tested.function(x[i]);
      expected_dx[i] = dy[i] * tested.derivative(x[i]);
    }
    Floats y = x, dx = dy;
    kernel.forward(y.data(), n, {});
    kernel.backward(x.data(), dx.data(), n, {});
    expect_bits(y, expected_y, activation_name(tested.activation));
    expect_bits(dx, expected_dx, activation_name(tested.activation) + " backward");
  }
}

TEST_P(KernelSizes, WeightSumsAreAddedInSixteenLanesInEveryVariant) {
  const std::int64_t n = GetParam();
  Floats w = random_floats(n, 1);
  for (std::size_t i = 0; i < w.size(); ++i)  // so far apart that sums are rounded
    w[i] = std::ldexp(w[i], static_cast<int>(i * 7 % 61) - 30);
  std::vector<double> sizes, squares;
  for (const float x : w) {
    sizes.push_back(std::abs(static_cast<double>(x)));
    squares.push_back(static_cast<double>(x) * static_cast<double>(x));
  }
  for (const Kernels* k : all_variants()) {
    const WeightSums sums = k->weight_sums(w.data(), n);
    EXPECT_EQ(sums.absolute, sum_in_lanes(sizes)) << k->name;
    EXPECT_EQ(sums.squares, sum_in_lanes(squares)) << k->name;
  }
}

TEST_P(KernelSizes, PenaltyGradientIsThatOfEachWeightInEveryVariant) {
  const std::int64_t n = GetParam();
  const Floats w = wide_floats(n, 1), g = random_floats(n, 2);
  Floats expected = g;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float sign = static_cast<float>((w[i] > 0) - (w[i] < 0));
    expected[i] += 0.3f * sign + 2 * 0.7f * w[i];
  }
  for (const Kernels* k : all_variants()) {
    Floats got = g;
    k->add_penalty_gradient(w.data(), got.data(), n, 0.3f, 0.7f);
    expect_bits(got, expected, k->name);
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelSizes, ::testing::Values(0, 1, 7, 16, 31, 64, 1003));

TEST(Kernels, ReluOfNaNIsNaNSoThatFaultsStayVisible) {
  float z = std::nanf("");
  const float bias = 1;
  kernels().add_bias_relu(&z, &bias, 1, 1);
  EXPECT_TRUE(std::isnan(z));
}

TEST(Kernels, UnknownVariantIsNotFound) {
  EXPECT_EQ(find_kernels("sse9"), nullptr);
}

}  // namespace
}  // namespace lockstep
