// Times the convolutions of networks, forward and both gradients: GFLOP/s of the terms that exist,
// their share of the core's peak measured around them, and, where it is found, oneDNN. Rounds
// alternate, medians are printed. CPU time of one thread, so that a shared machine does not count.
//
//   convolutions [--rounds N] [--milliseconds PER_ROUND] [--batch N] [--only TEXT]

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/core/random.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/depthwise.hpp"
#include "src/kernels/kernels.hpp"
#include "tests/benchmark/fma_peak.hpp"
#include "tests/support/convolution_shapes.hpp"
#ifdef LOCKSTEP_DNNL
#include "tests/benchmark/convolutions_onednn.hpp"
#endif

extern "C" __attribute__((weak)) void omp_set_num_threads(int);  // oneDNN's threads

namespace lockstep {
namespace {

struct Case {
  const char* name;
  ConvolutionShape shape;
};

std::vector<Case> cases() {
  using enum test::Padding;
  const auto shape = test::image_convolution;
  return {
      {"28x28x1 -> 3x3x32 valid", shape(28, 28, 1, 3, 32, kValid, 1, 1, 1)},
      {"28x28x1 -> 3x3x32 same", shape(28, 28, 1, 3, 32, kSame, 1, 1, 1)},
      {"13x13x32 -> 3x3x64 valid", shape(13, 13, 32, 3, 64, kValid, 1, 1, 1)},
      {"28x28x32 -> 3x3x32 same", shape(28, 28, 32, 3, 32, kSame, 1, 1, 1)},
      {"14x14x64 -> 3x3x64 same", shape(14, 14, 64, 3, 64, kSame, 1, 1, 1)},
      {"7x7x64 -> 3x3x64 same", shape(7, 7, 64, 3, 64, kSame, 1, 1, 1)},
      {"56x56x64 -> 3x3x64 same", shape(56, 56, 64, 3, 64, kSame, 1, 1, 1)},
      {"14x14x256 -> 1x1x64", shape(14, 14, 256, 1, 64, kValid, 1, 1, 1)},
      {"14x14x64 -> 1x1x256", shape(14, 14, 64, 1, 256, kValid, 1, 1, 1)},
      {"28x28x32 -> 3x3x64 same, stride 2", shape(28, 28, 32, 3, 64, kSame, 2, 1, 1)},
      {"14x14x32 -> 3x3x64 same", shape(14, 14, 32, 3, 64, kSame, 1, 1, 1)},
      {"28x28x64 -> 3x3 depthwise", shape(28, 28, 64, 3, 64, kSame, 1, 1, 64)},
      {"32x32x3 -> 3x3x32 same", shape(32, 32, 3, 3, 32, kSame, 1, 1, 1)},
      {"28x28x32 -> 3x3x1 same", shape(28, 28, 32, 3, 1, kSame, 1, 1, 1)},
      {"28x28x1 -> 5x5x32 same, stride 2", shape(28, 28, 1, 5, 32, kSame, 2, 1, 1)},
      {"14x14x32 -> 5x5x64 same, stride 2", shape(14, 14, 32, 5, 64, kSame, 2, 1, 1)},
      {"28x28x32 -> 3x3x32 same, dilation 2", shape(28, 28, 32, 3, 32, kSame, 1, 2, 1)},
      {"14x14x64 -> 3x3x64 same, 8 groups", shape(14, 14, 64, 3, 64, kSame, 1, 1, 8)},
      {"4x4x128 -> 3x3x128 same", shape(4, 4, 128, 3, 128, kSame, 1, 1, 1)},
  };
}

/// Multiplications and additions of the terms that exist.
double flops(const ConvolutionShape& shape) {
  double terms = 1;
  for (std::size_t i = 0; i < 3; ++i) {
    std::int64_t existing = 0;
    for (std::int64_t output = 0; output < shape.output[i]; ++output)
      for (std::int64_t tap = 0; tap < shape.kernel[i]; ++tap) {
        const std::int64_t at =
            output * shape.stride[i] + tap * shape.dilation[i] - shape.before[i];
        existing += at >= 0 && at < shape.input[i];
      }
    terms *= static_cast<double>(existing);
  }
  return 2 * terms * static_cast<double>(shape.channels_in_group() * shape.output_channels);
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

FloatBuffer random_floats(std::int64_t count, std::uint32_t stream) {
  FloatBuffer buffer(count);
  const RandomStream random(1, Purpose::kSynthetic, stream);
  for (std::size_t i = 0; i < buffer.span().size(); ++i)
    buffer.span()[i] = 2 * random.uniform(i) - 1;
  return buffer;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Settings {
  int rounds = 9;
  double milliseconds = 10;
  std::int64_t batch = 128;
  std::string only;
};

struct Rate {
  double gflops;
  double share;  ///< of the peak at the same moment
};

/// One pass by all candidates: medians.
std::vector<Rate> measure(const std::vector<std::function<void()>>& candidates, double work,
                          const Settings& settings) {
  std::vector<int> calls;
  for (const auto& run : candidates) {
    run();
    const double start = now();
    run();
    calls.push_back(std::max(1, static_cast<int>(settings.milliseconds * 1e-3 / (now() - start))));
  }
  std::vector<std::vector<double>> gflops(candidates.size()), shares(candidates.size());
  for (int round = 0; round < settings.rounds; ++round)
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const double peak_before = fma_peak(now);
      const double start = now();
      for (int call = 0; call < calls[i]; ++call) candidates[i]();
      gflops[i].push_back(work * calls[i] / (now() - start) / 1e9);
      shares[i].push_back(2 * gflops[i].back() / (peak_before + fma_peak(now)));
    }
  std::vector<Rate> rates;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    rates.push_back({median(gflops[i]), median(shares[i])});
  return rates;
}

void run_case(const Case& c, const Settings& settings) {
  const ConvolutionShape& shape = c.shape;
  const std::int64_t batch = settings.batch;
  FloatBuffer x = random_floats(batch * shape.input_floats(), 1);
  FloatBuffer kernel = random_floats(shape.kernel_floats(), 2);
  FloatBuffer dy = random_floats(batch * shape.output_floats(), 3);
  const FloatBuffer bias = random_floats(shape.output_channels, 4);
  FloatBuffer y(batch * shape.output_floats()), dx(batch * shape.input_floats());
  FloatBuffer gradient(shape.kernel_floats());
  const Range all{0, batch};
  const Subtrees subtrees{.samples = {&all, 1}, .grain = 16};
  std::vector<std::vector<std::function<void()>>> passes = {
      {[&] {
        convolve(shape, batch, x.span().data(), kernel.span().data(), {bias.span().data(), true},
                 y.span().data());
      }},
      {[&] {
        convolve_input_gradient(shape, batch, dy.span().data(), kernel.span().data(),
                                dx.span().data());
      }},
      {[&] {
        convolve_kernel_gradient(shape, x.span().data(), dy.span().data(), subtrees,
                                 {0, shape.kernel_floats()}, gradient.span().data());
      }}};
  std::optional<DepthwiseConvolution> depthwise;
  if (shape.groups > 1 && shape.groups == shape.input_channels) {
    depthwise.emplace(shape);
    passes = {{[&] {
                depthwise->forward(batch, x.span().data(), kernel.span().data(),
                                   {bias.span().data(), true}, y.span().data());
              }},
              {[&] {
                depthwise->input_gradient(batch, dy.span().data(), kernel.span().data(),
                                          dx.span().data());
              }},
              {[&] {
                depthwise->kernel_gradient(x.span().data(), dy.span().data(), subtrees,
                                           {0, shape.kernel_floats()}, gradient.span().data());
              }}};
  }
#ifdef LOCKSTEP_DNNL
  for (const bool own_layouts : {true, false}) {
    const OneDnnConvolution peer = onednn_convolution(shape, batch, own_layouts);
    passes[0].push_back(peer.forward);
    passes[1].push_back(peer.input_gradient);
    passes[2].push_back(peer.kernel_gradient);
  }
#endif
  const char* const names[] = {"forward", "input gradient", "kernel gradient"};
  for (std::size_t pass = 0; pass < 3; ++pass) {
    if (fmt::format("{} {}", c.name, names[pass]).find(settings.only) == std::string::npos)
      continue;
    const std::vector<Rate> rates =
        measure(passes[pass], static_cast<double>(batch) * flops(shape), settings);
    const bool peers = rates.size() > 1;
    fmt::print(
        "| {:36} | {:15} | {:6.1f} | {:5.2f} | {:>7} | {:>7} | {:>6} |\n", c.name, names[pass],
        rates[0].gflops, rates[0].share, peers ? fmt::format("{:.1f}", rates[1].gflops) : "",
        peers ? fmt::format("{:.1f}", rates[2].gflops) : "",
        peers ? fmt::format("{:.2f}", rates[0].share / std::max(rates[1].share, rates[2].share))
              : "");
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  if (omp_set_num_threads) omp_set_num_threads(1);
  lockstep::Settings settings;
  bool understood = true;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--rounds")
      settings.rounds = std::atoi(value);
    else if (option == "--milliseconds")
      settings.milliseconds = std::atof(value);
    else if (option == "--batch")
      settings.batch = std::atoi(value);
    else if (option == "--only")
      settings.only = value;
    else
      understood = false;
  }
  if (!understood || settings.rounds < 1 || settings.milliseconds <= 0 || settings.batch < 1) {
    fmt::print(stderr,
               "usage: convolutions [--rounds N] [--milliseconds X] [--batch N] [--only TEXT]\n");
    return 64;
  }
  fmt::print("{}, batch {}, grains of 16, CPU time of one thread; GFLOP/s, medians of {} rounds\n",
             lockstep::kernels().name, settings.batch, settings.rounds);
  fmt::print("| {:36} | {:15} | {:6} | {:5} | {:7} | {:7} | {:6} |\n", "convolution", "pass",
             "exact", "share", "oneDNN", "by nhwc", "ratio");
  for (const auto& c : lockstep::cases()) lockstep::run_case(c, settings);
  return 0;
}
