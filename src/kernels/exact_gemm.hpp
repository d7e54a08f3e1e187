#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lockstep {

/// c = a b, or c = a b^T. Rows are `stride` floats apart; c: (m, n), inner extent k.
struct ExactProduct {
  const float* a;
  std::int64_t a_stride;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
  std::int64_t m, n, k;
  std::ptrdiff_t prefetch = 0;  ///< as Subtrees::prefetch, from c
  bool goes_on = false;         ///< the chains go on from what c holds, instead of from zero
};

/// The exact products of gemm.hpp, compiled for several instruction sets from one source
/// (exact_gemm.inc). Every variant gives the same bits, and so does any cut of a product into
/// blocks of rows or columns of c. Arrays do not overlap.
struct ExactGemm {
  const char* name;  ///< as in Kernels

  /// a: (m, k), b: (k, n)
  void (*multiply)(const ExactProduct& product);
  /// a: (m, k), b: (n, k)
  void (*multiply_transposed_b)(const ExactProduct& product);
  /// a: (k, m), b: (k, n); the k rows are one subtree of the tree of grains of `grain` rows, and
  /// merges[g] is tree_merges_after of grain g. a_stride 0: the same row of a for every row of b.
  /// Its chains always start from zero.
  void (*multiply_transposed_a)(const ExactProduct& product, std::int64_t grain,
                                const unsigned char* merges);
};

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const ExactGemm* find_exact_gemm(std::string_view name);

/// Memory of this thread that grows when needed and is kept: at least `floats` floats, from a
/// 64-byte boundary, undefined contents. The next call takes it back.
float* exact_gemm_scratch(std::int64_t floats);

}  // namespace lockstep
