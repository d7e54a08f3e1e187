#include "src/kernels/exact_products.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "src/core/parallel.hpp"
#include "src/core/progress_hook.hpp"
#include "src/core/range.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Multiplications below which threads would cost more than they save: about ten microseconds.
constexpr std::int64_t kWorthThreads = 1 << 20;
/// Multiplications of each thread between two calls of what goes on meanwhile, about a millisecond,
/// and columns, so that tiles stay as fast as in the whole product.
constexpr std::int64_t kBetweenCalls = 1 << 26;
constexpr std::int64_t kColumnsBetweenCalls = 256;
/// Cuts between threads: whole tiles of every variant, whole cache lines.
constexpr std::int64_t kColumnUnit = 64;
constexpr std::int64_t kRowUnit = 12;

/// f(rows, columns) of blocks that make up a larger one, on as many threads.
template <class F>
void share_out(Range rows, Range columns, std::int64_t parts, const F& f) {
  if (parts == 1) return f(rows, columns);
  const bool by_columns = columns.count() >= parts * kColumnUnit;
  parallel_for(parts, [&](std::int64_t part) {
    if (by_columns)
      f(rows, part_of(columns, part, parts, kColumnUnit));
    else
      f(part_of(rows, part, parts, kRowUnit), columns);
  });
}

/// f(rows, columns) of blocks that make up `all_rows` x `all_columns` of c, inner extent k.
template <class F>
void for_blocks(Range all_rows, Range all_columns, std::int64_t k, const F& f) {
  const std::int64_t m = all_rows.count(), n = all_columns.count();
  const std::int64_t parts = m * n * k < kWorthThreads ? 1 : threads();
  std::int64_t blocks = 1;
  if (ProgressHook::wanted())
    blocks = std::max<std::int64_t>(
        1, std::min(m * n * k / kBetweenCalls, n / kColumnsBetweenCalls) / parts);
  for (std::int64_t block = 0; block < blocks; ++block) {
    if (block > 0) ProgressHook::run();
    share_out(all_rows, part_of(all_columns, block, blocks, kColumnUnit), parts, f);
  }
}

/// tree_merges_after of each of the grains of a subtree. Valid until the next call of this thread.
std::span<const unsigned char> tree_merges(std::int64_t grains) {
  thread_local std::vector<unsigned char> merges;
  thread_local std::int64_t size = 0;
  if (size != grains) {
    merges.clear();
    for (std::int64_t grain = 0; grain < grains; ++grain)
      merges.push_back(static_cast<unsigned char>(tree_merges_after(grain, grains)));
    size = grains;
  }
  return merges;
}

/// What the columns of a block of c need of b.
struct Factors {
  const float* b;
  std::int64_t stride;
};

ExactProduct block_of(ConstStridedMatrix a, Factors factors, StridedMatrix c, Range rows,
                      Range columns, bool goes_on) {
  return {.a = a.row(rows.first),
          .a_stride = a.stride,
          .b = factors.b,
          .b_stride = factors.stride,
          .c = c.row(rows.first) + columns.first,
          .c_stride = c.stride,
          .m = rows.count(),
          .n = columns.count(),
          .k = a.columns,
          .goes_on = goes_on};
}

}  // namespace

void exact_multiply(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                    StridedMatrix c, bool goes_on) {
  for_blocks({0, c.rows}, {0, c.columns}, a.columns, [&](Range rows, Range columns) {
    gemm.multiply(block_of(a, {b.data + columns.first, b.stride}, c, rows, columns, goes_on));
  });
}

void exact_multiply_transposed_b(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                                 StridedMatrix c, bool goes_on) {
  for_blocks({0, c.rows}, {0, c.columns}, a.columns, [&](Range rows, Range columns) {
    gemm.multiply_transposed_b(
        block_of(a, {b.row(columns.first), b.stride}, c, rows, columns, goes_on));
  });
}

void exact_multiply_transposed_a(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                                 const Subtrees& subtrees, Range all_rows, Range all_columns,
                                 float* c, std::int64_t c_stride) {
  if (c_stride == 0) c_stride = b.columns;
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, c += subtrees.stride) {
    const Range k = subtrees.rows(subtree);
    const auto merges = tree_merges(subtrees.grains(subtree));
    for_blocks(all_rows, all_columns, k.count(), [&](Range rows, Range columns) {
      gemm.multiply_transposed_a(
          {a.row(k.first) + rows.first, a.stride, b.row(k.first) + columns.first, b.stride,
           c + (rows.first - all_rows.first) * c_stride + columns.first - all_columns.first,
           c_stride, rows.count(), columns.count(), k.count(), subtrees.prefetch},
          subtrees.grain_rows(), merges.data());
    });
  }
}

void exact_sum_rows(const ExactGemm& gemm, ConstStridedMatrix b, const Subtrees& subtrees,
                    Range columns, float* c) {
  const float one = 1;
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, c += subtrees.stride) {
    const Range k = subtrees.rows(subtree);
    const auto merges = tree_merges(subtrees.grains(subtree));
    gemm.multiply_transposed_a({&one, 0, b.row(k.first) + columns.first, b.stride, c, b.stride, 1,
                                columns.count(), k.count()},
                               subtrees.grain_rows(), merges.data());
  }
}

const ExactGemm& exact_gemm() {
  static const ExactGemm& chosen = *find_exact_gemm(kernels().name);
  return chosen;
}

}  // namespace lockstep
