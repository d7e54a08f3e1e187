#pragma once

#include <cstdint>

#include "src/layers/layer.hpp"

namespace lockstep::test {

/// Expects Layer::backward to agree with central differences of f = sum_i c_i y_i, for random x,
/// parameters and coefficients c: the gradients of every parameter and of x. Elements at a kink
/// (where the one-sided differences disagree, as at the corner of relu) are left out; at most a
/// tenth may be.
void expect_gradients_match_finite_differences(Layer& layer, const Shape& input, std::int64_t rows,
                                               const Pass& pass = {.training = true});

}  // namespace lockstep::test
