#include "src/kernels/exact_convolution.hpp"

#include <array>

#include "src/kernels/kernels.hpp"

namespace lockstep {

extern const ExactConvolution exact_convolution_portable;
#ifdef __x86_64__
extern const ExactConvolution exact_convolution_avx2;
extern const ExactConvolution exact_convolution_avx512;
#endif

const ExactConvolution* find_exact_convolution(std::string_view name) {
#ifdef __x86_64__
  constexpr std::array tables = {&exact_convolution_avx512, &exact_convolution_avx2,
                                 &exact_convolution_portable};
#else
  constexpr std::array tables = {&exact_convolution_portable};
#endif
  for (const ExactConvolution* table : tables)
    if (table->name == name) return find_kernels(name) ? table : nullptr;
  return nullptr;
}

const ExactConvolution& exact_convolution() {
  static const ExactConvolution& chosen = *find_exact_convolution(kernels().name);
  return chosen;
}

}  // namespace lockstep
