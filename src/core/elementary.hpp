#pragma once

#include <cmath>

/// The elementary functions that layers, losses and metrics use, in one place.
namespace lockstep::elementary {

inline float exp(float x) {
  return std::exp(x);
}
inline float log(float x) {
  return std::log(x);
}
inline float log1p(float x) {
  return std::log1p(x);
}
inline float expm1(float x) {
  return std::expm1(x);
}
inline float tanh(float x) {
  return std::tanh(x);
}
inline float erf(float x) {
  return std::erf(x);
}
inline double exp(double x) {
  return std::exp(x);
}
inline double log(double x) {
  return std::log(x);
}
inline double log1p(double x) {
  return std::log1p(x);
}
inline double cos(double x) {
  return std::cos(x);
}

}  // namespace lockstep::elementary
