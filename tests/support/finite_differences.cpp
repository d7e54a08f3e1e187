#include "tests/support/finite_differences.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "src/core/random.hpp"

namespace lockstep::test {
namespace {

/// In [-1, 1).
std::vector<float> random_values(std::int64_t count, std::uint32_t stream) {
  const RandomStream random(17, Purpose::kSynthetic, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

struct Probe {
  Layer& layer;
  std::int64_t rows;
  Pass pass;
  std::vector<float> x, y, kept, coefficients;
  std::int64_t columns_in, columns_out;

  Matrix matrix(std::vector<float>& values, std::int64_t columns) const {
    return {values.data(), rows, columns};
  }
  double objective() {
    layer.forward(pass, matrix(x, columns_in), matrix(y, columns_out), kept);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      sum += static_cast<double>(coefficients[i]) * static_cast<double>(y[i]);
    return sum;
  }
};

/// Compares d(objective)/d(variable[i]) for every i; returns how many lie at a kink.
std::size_t compare(Probe& probe, std::span<float> variable, std::span<const float> gradient,
                    const char* what) {
  constexpr float kStep = 1.0f / 128;
  std::size_t kinks = 0;
  for (std::size_t i = 0; i < variable.size(); ++i) {
    const float saved = variable[i];
    const double here = probe.objective();
    variable[i] = saved + kStep;
    const double right = (probe.objective() - here) / static_cast<double>(kStep);
    variable[i] = saved - kStep;
    const double left = (here - probe.objective()) / static_cast<double>(kStep);
    variable[i] = saved;
    if (std::abs(right - left) > 0.05 * (1 + std::abs(right))) {
      ++kinks;
      continue;
    }
    const double expected = (left + right) / 2;
    EXPECT_NEAR(static_cast<double>(gradient[i]), expected, 4e-3 * (1 + std::abs(expected)))
        << what << " element " << i;
  }
  return kinks;
}

}  // namespace

void expect_gradients_match_finite_differences(Layer& layer, const Shape& input, std::int64_t rows,
                                               const Pass& pass) {
  const Shape output = layer.build(input);
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : layer.parameters()) parameters.push_back(&parameter);
  ParameterArena arena(parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    std::ranges::copy(random_values(static_cast<std::int64_t>(parameters[i]->value.size()),
                                    static_cast<std::uint32_t>(10 + i)),
                      parameters[i]->value.begin());

  const std::int64_t columns_in = element_count(input);
  const std::int64_t columns_out = element_count(output);
  Probe probe{.layer = layer,
              .rows = rows,
              .pass = pass,
              .x = random_values(rows * columns_in, 1),
              .y = std::vector<float>(static_cast<std::size_t>(rows * columns_out)),
              .kept = std::vector<float>(static_cast<std::size_t>(rows * layer.kept_per_row())),
              .coefficients = random_values(rows * columns_out, 2),
              .columns_in = columns_in,
              .columns_out = columns_out};
  probe.objective();
  std::vector<float> dy = probe.coefficients;
  std::vector<float> dx(probe.x.size());
  const Range all{0, rows};
  Pass backward_pass = pass;
  backward_pass.subtrees = {.samples = {&all, 1}, .grain = 2};
  layer.backward(backward_pass, probe.matrix(probe.x, columns_in),
                 probe.matrix(probe.y, columns_out), probe.matrix(dy, columns_out),
                 probe.matrix(dx, columns_in), probe.kept);

  std::size_t kinks = compare(probe, probe.x, dx, "input");
  std::size_t elements = dx.size();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Parameter* const parameter = parameters[i];
    std::vector<float> gradient(parameter->value.size());
    layer.gradient(backward_pass, probe.matrix(probe.x, columns_in), probe.matrix(dy, columns_out),
                   i, {0, std::ssize(gradient)}, gradient.data());
    kinks += compare(probe, parameter->value, gradient, parameter->name.c_str());
    elements += gradient.size();
  }
  EXPECT_LE(kinks, elements / 10) << "too many elements at a kink to prove anything";
}

}  // namespace lockstep::test
