#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "src/losses/loss.hpp"

namespace lockstep {

struct LossResult {
  double sum = 0;
  std::vector<float> outputs;  ///< as the loss left them
  std::vector<float> gradient;
};

inline LossResult run_loss(const Loss& loss, std::vector<float> outputs, std::int64_t columns,
                           const Targets& targets, bool fused, float scale = 1,
                           bool with_gradient = true) {
  const std::int64_t rows = std::ssize(outputs) / columns;
  LossResult result;
  result.outputs = std::move(outputs);
  result.gradient.assign(result.outputs.size(), -99.0f);
  const Matrix gradient{result.gradient.data(), rows, columns};
  result.sum = loss.compute({result.outputs.data(), rows, columns}, targets,
                            with_gradient ? gradient : Matrix{}, scale, fused);
  return result;
}

/// The gradient, with a scale, against central differences of the sum.
inline void expect_gradient_matches_differences(const Loss& loss, const std::vector<float>& outputs,
                                                std::int64_t columns, const Targets& targets,
                                                bool fused) {
  constexpr float kScale = 0.25f;
  constexpr float kStep = 1.0f / 512;
  const LossResult at = run_loss(loss, outputs, columns, targets, fused, kScale);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<float> above = outputs;
    std::vector<float> below = outputs;
    above[i] += kStep;
    below[i] -= kStep;
    const double distance = static_cast<double>(above[i]) - static_cast<double>(below[i]);
    const double difference = run_loss(loss, above, columns, targets, fused).sum -
                              run_loss(loss, below, columns, targets, fused).sum;
    EXPECT_NEAR(static_cast<double>(at.gradient[i]), kScale * difference / distance, 2e-4)
        << loss.name() << (fused ? " fused" : " unfused") << ", element " << i;
  }
}

/// Views of a test's own numbers.
inline Targets class_targets(const std::vector<std::int32_t>& classes) {
  return {.classes = classes, .values = {}};
}
inline Targets value_targets(const std::vector<float>& values, std::int64_t columns) {
  return {.classes = {}, .values = {values.data(), std::ssize(values) / columns, columns}};
}

}  // namespace lockstep
