#pragma once

#include <algorithm>

namespace lockstep {

// Keras's epsilon(), as TensorFlow clips probabilities in float32.
inline constexpr float kLowestProbability = 1e-7f;
inline constexpr float kHighestProbability = static_cast<float>(1.0 - 1e-7);

inline float clip(float p) {
  return std::clamp(p, kLowestProbability, kHighestProbability);
}
/// Where the derivative of clip() is 1; elsewhere it is 0.
inline bool inside(float p) {
  return p >= kLowestProbability && p <= kHighestProbability;
}

/// Targets moved towards the uniform distribution over `classes`: t (1 - a) + a / classes.
class Smoothing {
 public:
  Smoothing(double a, double classes)
      : keep_(static_cast<float>(1 - a)), shift_(static_cast<float>(a / classes)) {}
  float operator()(float t) const { return t * keep_ + shift_; }

 private:
  float keep_;
  float shift_;
};

}  // namespace lockstep
