#include "src/kernels/exact_gemm.hpp"

#include <array>

#include "src/core/float_buffer.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {

extern const ExactGemm exact_gemm_portable;
#ifdef __x86_64__
extern const ExactGemm exact_gemm_avx2;
extern const ExactGemm exact_gemm_avx512;
#endif

const ExactGemm* find_exact_gemm(std::string_view name) {
#ifdef __x86_64__
  constexpr std::array tables = {&exact_gemm_avx512, &exact_gemm_avx2, &exact_gemm_portable};
#else
  constexpr std::array tables = {&exact_gemm_portable};
#endif
  for (const ExactGemm* table : tables)
    if (table->name == name) return find_kernels(name) ? table : nullptr;
  return nullptr;
}

float* exact_gemm_scratch(std::int64_t floats) {
  thread_local FloatBuffer memory;
  return memory.at_least(floats);
}

}  // namespace lockstep
