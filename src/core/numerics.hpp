#pragma once

namespace lockstep {

/// How matrix products are added up.
enum class Numerics {
  /// Every element is one chain of fused multiply-adds in ascending k, starting from zero, and
  /// gradients are added by the tree of grains: the same bits on any number of ranks and threads
  /// and on any CPU with FMA.
  kExact,
  /// As the BLAS likes it: the bits depend on how the rows are shared out, and on the CPU.
  kFast,
};

/// Whether this CPU fuses multiply-adds; without it kExact is emulated, many times slower.
bool cpu_has_fma();

}  // namespace lockstep
