#define LOCKSTEP_VARIANT avx2
#include "src/kernels/kernels.inc"
