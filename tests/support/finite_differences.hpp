#pragma once

#include <cstdint>
#include <vector>

#include "src/layers/layer.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep::test {

/// Expects the gradients by every input and trained parameter to agree with central differences of
/// f = sum_i c_i y_i, for random inputs, parameters and coefficients c. Elements at a kink (where
/// the one-sided differences disagree, as at the corner of relu) are left out; at most a tenth may
/// be.
void expect_gradients_match_finite_differences(Layer& layer, const Shape& input, std::int64_t rows,
                                               const Pass& pass = {.training = true},
                                               bool inference = false);
/// The same for a layer with several inputs, or behind masks.
void expect_merged_gradients_match_finite_differences(Layer& layer,
                                                      const std::vector<Shape>& inputs,
                                                      std::int64_t rows,
                                                      const Pass& pass = {.training = true},
                                                      bool inference = false,
                                                      const LayerRun::Masks& masks = {});

}  // namespace lockstep::test
