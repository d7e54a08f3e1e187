#include "launch/machine/blas_correction.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

constexpr CpuAbilities kAvx512{.avx2_fma = true, .avx512 = true, .amd = false};
constexpr CpuAbilities kIntelAvx2{.avx2_fma = true, .avx512 = false, .amd = false};
constexpr CpuAbilities kAmdAvx2{.avx2_fma = true, .avx512 = false, .amd = true};
constexpr CpuAbilities kOldCpu{};

int threads_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "lockstep");
  return threads_asked(static_cast<int>(arguments.size()), arguments.data());
}

TEST(BlasCorrection, NamesTheBestKernelOfEachKindOfCpu) {
  EXPECT_EQ(best_core_type(kAvx512), "SKYLAKEX");
  EXPECT_EQ(best_core_type(kIntelAvx2), "HASWELL");
  EXPECT_EQ(best_core_type(kAmdAvx2), "ZEN");
  EXPECT_EQ(best_core_type({.avx2_fma = true, .avx512 = true, .amd = true}), "SKYLAKEX");
  EXPECT_EQ(best_core_type(kOldCpu), "");
}

TEST(BlasCorrection, ReplacesKernelsThatLeaveAvx2Unused) {
  for (const char* kernel : {"Prescott", "Core2", "Nehalem", "Sandybridge", "generic"}) {
    const BlasCorrection plan = plan_blas_correction({.kernel = kernel}, kAvx512);
    EXPECT_EQ(plan.core_type, "SKYLAKEX") << kernel;
    EXPECT_FALSE(plan.num_threads) << kernel;
  }
  EXPECT_EQ(plan_blas_correction({.kernel = "Barcelona"}, kAmdAvx2).core_type, "ZEN");
}

TEST(BlasCorrection, LeavesGoodKernelsOldCpusAndOtherLibrariesAlone) {
  EXPECT_FALSE(plan_blas_correction({.kernel = "SkylakeX"}, kAvx512).needed());
  EXPECT_FALSE(plan_blas_correction({.kernel = "Haswell"}, kAvx512).needed());
  EXPECT_FALSE(plan_blas_correction({.kernel = "KernelOfTheFuture"}, kAvx512).needed());
  EXPECT_FALSE(plan_blas_correction({.kernel = "Prescott"}, kOldCpu).needed());
  EXPECT_FALSE(plan_blas_correction({.kernel = "", .has_helpers = true}, kAvx512).needed());
}

TEST(BlasCorrection, KeepsWhatTheUserSet) {
  const BlasStart start{.kernel = "Prescott", .has_helpers = true, .user_chose_kernel = true};
  EXPECT_FALSE(plan_blas_correction(start, kAvx512).core_type);
  EXPECT_EQ(plan_blas_correction(start, kAvx512).num_threads, "1");

  BlasStart both = start;
  both.user_chose_threads = true;
  EXPECT_FALSE(plan_blas_correction(both, kAvx512).needed());
}

TEST(BlasCorrection, HappensOnce) {
  EXPECT_FALSE(plan_blas_correction(
                   {.kernel = "Prescott", .has_helpers = true, .corrected_before = true}, kAvx512)
                   .needed());
}

TEST(BlasCorrection, StopsHelperThreadsUnlessTheyAreWanted) {
  EXPECT_EQ(
      plan_blas_correction({.kernel = "Haswell", .has_helpers = true}, kIntelAvx2).num_threads,
      "1");
  EXPECT_FALSE(
      plan_blas_correction({.kernel = "Haswell", .has_helpers = true, .threads = 2}, kIntelAvx2)
          .needed());
  EXPECT_FALSE(plan_blas_correction({.kernel = "Haswell"}, kIntelAvx2).needed());
}

TEST(BlasCorrection, ReadsThreadsFromTheCommandLine) {
  EXPECT_EQ(threads_of({"train", "a.cfg"}), 1);
  EXPECT_EQ(threads_of({"train", "--threads", "4"}), 4);
  EXPECT_EQ(threads_of({"train", "--threads=8", "--epochs", "2"}), 8);
  EXPECT_EQ(threads_of({"train", "--threads"}), 1);
  EXPECT_EQ(threads_of({"train", "--threads", "many"}), 1);
  EXPECT_EQ(threads_of({"train", "--threads-of-gold=3"}), 1);
}

TEST(BlasCorrection, WarnsOnlyAboutCrippledKernelsAndNamesTheCure) {
  BlasReport report;
  report.kernel = "SkylakeX";
  report.best = "SKYLAKEX";
  EXPECT_EQ(blas_warning(report), "");

  report.kernel = "Prescott";
  report.crippled = true;
  EXPECT_NE(blas_warning(report).find("export OPENBLAS_CORETYPE=SKYLAKEX"), std::string::npos);

  report.user_chose_kernel = true;
  EXPECT_NE(blas_warning(report).find("unset OPENBLAS_CORETYPE"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
