#include "src/kernels/depthwise_kernels.hpp"

#include <array>

#include "src/kernels/kernels.hpp"

namespace lockstep {

extern const DepthwiseKernels depthwise_kernels_portable;
#ifdef __x86_64__
extern const DepthwiseKernels depthwise_kernels_avx2;
extern const DepthwiseKernels depthwise_kernels_avx512;
#endif

const DepthwiseKernels* find_depthwise_kernels(std::string_view name) {
#ifdef __x86_64__
  constexpr std::array tables = {&depthwise_kernels_avx512, &depthwise_kernels_avx2,
                                 &depthwise_kernels_portable};
#else
  constexpr std::array tables = {&depthwise_kernels_portable};
#endif
  for (const DepthwiseKernels* table : tables)
    if (table->name == name) return find_kernels(name) ? table : nullptr;
  return nullptr;
}

const DepthwiseKernels& depthwise_kernels() {
  static const DepthwiseKernels& chosen = *find_depthwise_kernels(kernels().name);
  return chosen;
}

}  // namespace lockstep
