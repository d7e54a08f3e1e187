/// The update as a loop in a program of its own would make it: compiled for this machine alone,
/// with -Ofast (tests/benchmark/CMakeLists.txt). `alpha` = rate * sqrt(1 - beta_2^t) / (1 -
/// beta_1^t).
void plain_adam(float* __restrict values, const float* __restrict gradients, float* __restrict m,
                float* __restrict v, long count, float alpha) {
  for (long i = 0; i < count; ++i) {
    m[i] = 0.9f * m[i] + 0.1f * gradients[i];
    v[i] = 0.999f * v[i] + 0.001f * gradients[i] * gradients[i];
    values[i] -= alpha * m[i] / (__builtin_sqrtf(v[i]) + 1e-7f);
  }
}
