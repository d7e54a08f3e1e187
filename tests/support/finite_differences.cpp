#include "tests/support/finite_differences.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "src/core/random.hpp"
#include "tests/support/layer_run.hpp"

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
  LayerRun& run;
  std::vector<float> coefficients;

  double objective() {
    const std::vector<float> y = run.forward();
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

void expect_merged_gradients_match_finite_differences(Layer& layer,
                                                      const std::vector<Shape>& inputs,
                                                      std::int64_t rows, const Pass& pass,
                                                      bool inference,
                                                      const LayerRun::Masks& masks) {
  LayerRun run(layer, inputs, rows, pass, 0, inference, {}, masks);
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : layer.parameters()) parameters.push_back(&parameter);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    std::ranges::copy(random_values(static_cast<std::int64_t>(parameters[i]->value.size()),
                                    static_cast<std::uint32_t>(10 + i)),
                      parameters[i]->value.begin());
  for (const Parameter* parameter : parameters)
    if (parameter->role == ParameterRole::kState)  // maybe a variance
      for (float& value : parameter->value) value = std::abs(value) + 0.5f;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    run.x(i) = random_values(rows * element_count(inputs[i]), static_cast<std::uint32_t>(100 + i));
  Probe probe{run, random_values(rows * element_count(run.output_shape()), 2)};
  run.backward(probe.coefficients);

  std::vector<std::vector<float>> dx, gradients;
  for (std::size_t i = 0; i < inputs.size(); ++i) dx.push_back(run.dx(i));
  for (std::size_t i = 0; i < parameters.size(); ++i) gradients.push_back(run.gradient(i));

  std::size_t kinks = 0, elements = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    kinks += compare(probe, run.x(i), dx[i], "input");
    elements += dx[i].size();
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i]->trained()) continue;
    kinks += compare(probe, parameters[i]->value, gradients[i], parameters[i]->name.c_str());
    elements += gradients[i].size();
  }
  EXPECT_LE(kinks, elements / 10) << "too many elements at a kink to prove anything";
}

void expect_gradients_match_finite_differences(Layer& layer, const Shape& input, std::int64_t rows,
                                               const Pass& pass, bool inference) {
  expect_merged_gradients_match_finite_differences(layer, {input}, rows, pass, inference);
}

}  // namespace lockstep::test
