#pragma once

/// GFLOP/s of fused multiply-adds without any memory, one thread, at this moment.
double fma_peak(double (*now)());
