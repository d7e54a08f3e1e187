#pragma once

#include <cstdint>
#include <string_view>

#include "src/core/numerics.hpp"

namespace lockstep {

/// GFLOP/s of multiply() for c (m, n) = a (m, k) b (k, n): the best of some trials that take a
/// quarter of a second together.
double matrix_rate(Numerics numerics, std::int64_t m, std::int64_t n, std::int64_t k);

/// This core's clock in GHz, now: from a chain of additions, one a cycle. 0 on other CPUs than x86.
double measured_clock();

/// float32 operations that a core with full vector units does in a cycle when it runs this kernel
/// of OpenBLAS; empty: with the widest vectors that the CPU has.
double operations_per_cycle(std::string_view blas_kernel);

}  // namespace lockstep
