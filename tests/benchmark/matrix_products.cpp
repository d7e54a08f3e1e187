// Times the matrix products of the reference network and of a wide one: exact, by the BLAS and,
// where it is found, by oneDNN. Rounds alternate between the three, medians are printed.
//
//   matrix_products [--csv FILE] [--rounds N] [--milliseconds PER_ROUND] [--threads N] [--only
//   TEXT]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#ifdef LOCKSTEP_DNNL
#include <dnnl.h>
#endif

#include "src/core/float_buffer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/core/parallel.hpp"
#include "src/core/random.hpp"
#include "src/kernels/exact_products.hpp"
#include "src/kernels/gemm.hpp"

extern "C" __attribute__((weak)) void omp_set_num_threads(int);  // oneDNN's threads

namespace lockstep {
namespace {

enum class Kind { kPlain, kTransposedA, kTransposedB };

struct Shape {
  Kind kind;
  std::int64_t m, n, k;
  std::int64_t grain = 0;  ///< 0: one grain
};

std::vector<Shape> shapes() {
  using enum Kind;
  return {
      {kPlain, 32, 64, 784},
      {kPlain, 16, 64, 784},
      {kTransposedA, 784, 64, 32},
      {kTransposedA, 784, 64, 32, 8},
      {kTransposedA, 784, 64, 16},
      {kTransposedA, 784, 64, 16, 8},
      {kPlain, 32, 32, 64},
      {kTransposedA, 64, 32, 32},
      {kTransposedA, 64, 32, 32, 8},
      {kTransposedB, 32, 64, 32},
      {kPlain, 32, 10, 32},
      {kTransposedA, 32, 10, 32},
      {kTransposedA, 32, 10, 32, 8},
      {kTransposedB, 32, 32, 10},
      {kPlain, 128, 2048, 784},
      {kTransposedA, 784, 2048, 128},
      {kTransposedA, 784, 2048, 128, 16},
      {kPlain, 128, 2048, 2048},
      {kTransposedA, 2048, 2048, 128},
      {kTransposedA, 2048, 2048, 128, 16},
      {kTransposedB, 128, 2048, 2048},
      {kPlain, 64, 2048, 2048},
      {kTransposedA, 2048, 2048, 64},
      {kTransposedA, 2048, 2048, 64, 8},
      {kPlain, 128, 10, 2048},
      {kTransposedA, 2048, 10, 128, 16},
      {kTransposedB, 128, 2048, 10},
      {kPlain, 21632, 64, 288},
      {kPlain, 21632, 32, 9},
      {kPlain, 1024, 2048, 2048},
      {kTransposedA, 2048, 2048, 1024},
      {kTransposedA, 2048, 2048, 1024, 64},
      {kTransposedB, 1024, 2048, 2048},
      {kPlain, 1024, 2048, 784},
      {kTransposedA, 784, 2048, 1024, 64},
      {kPlain, 1024, 10, 2048},
      {kTransposedA, 2048, 10, 1024, 64},
      {kTransposedB, 1024, 2048, 10},
  };
}

FloatBuffer random_floats(std::int64_t count, std::uint32_t stream) {
  FloatBuffer buffer(count);
  const RandomStream random(1, Purpose::kSynthetic, stream);
  for (std::size_t i = 0; i < buffer.span().size(); ++i)
    buffer.span()[i] = 2 * random.uniform(i) - 1;
  return buffer;
}

struct Candidate {
  std::string name;
  std::function<void()> run;
  std::int64_t calls = 1;  ///< of one round
  std::vector<double> gflops = {};

  double median() {
    if (gflops.empty()) return 0;
    const auto middle = gflops.begin() + static_cast<std::ptrdiff_t>(gflops.size() / 2);
    std::nth_element(gflops.begin(), middle, gflops.end());
    return *middle;
  }
};

double seconds(Candidate& candidate) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t call = 0; call < candidate.calls; ++call) candidate.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Settings {
  std::string csv;
  int rounds = 15;
  double milliseconds = 10;
  std::string only;
};

std::string text(const Shape& s) {
  return fmt::format("{} x {} x {}{}{}", s.m, s.n, s.k,
                     s.kind == Kind::kPlain         ? ""
                     : s.kind == Kind::kTransposedA ? ", A transposed"
                                                    : ", B transposed",
                     s.grain ? fmt::format(", grains of {}", s.grain) : "");
}

std::vector<Candidate> measure(const Shape& s, const Settings& settings) {
  const FloatBuffer a_floats = random_floats(s.m * s.k, 1);
  const FloatBuffer b_floats = random_floats(s.k * s.n, 2);
  FloatBuffer c_floats(s.m * s.n);
  const bool a_transposed = s.kind == Kind::kTransposedA,
             b_transposed = s.kind == Kind::kTransposedB;
  const ConstMatrix a{a_floats.span().data(), a_transposed ? s.k : s.m, a_transposed ? s.m : s.k};
  const ConstMatrix b{b_floats.span().data(), b_transposed ? s.n : s.k, b_transposed ? s.k : s.n};
  const Matrix c{c_floats.span().data(), s.m, s.n};
  const Range all{0, s.k};
  const Subtrees subtrees{.samples = {&all, 1}, .grain = s.grain ? s.grain : s.k};
  const auto product = [&](Numerics numerics) {
    return [&, numerics] {
      if (a_transposed)
        multiply_transposed_a(numerics, a, b, subtrees, {0, c.size()}, c.data);
      else if (b_transposed)
        multiply_transposed_b(numerics, a, b, c);
      else
        multiply(numerics, a, b, c);
    };
  };
  std::vector<Candidate> candidates = {{"exact", product(Numerics::kExact)},
                                       {"blas", product(Numerics::kFast)}};
#ifdef LOCKSTEP_DNNL
  candidates.push_back({"onednn", [&] {
                          dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', s.m, s.n,
                                     s.k, 1.0f, a.data, a.columns, b.data, b.columns, 0.0f, c.data,
                                     c.columns);
                        }});
#endif
  const double flops = 2 * static_cast<double>(s.m * s.n) * static_cast<double>(s.k);
  for (Candidate& candidate : candidates) {
    candidate.run();
    candidate.calls = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(settings.milliseconds * 1e-3 * 100e9 / flops));
  }
  for (int round = 0; round < settings.rounds; ++round)
    for (Candidate& candidate : candidates)
      candidate.gflops.push_back(flops * static_cast<double>(candidate.calls) / seconds(candidate) /
                                 1e9);
  return candidates;
}

int run(const Settings& settings) {
  std::ofstream csv;
  if (!settings.csv.empty()) {
    csv.open(settings.csv);
    if (!csv) {
      fmt::print(stderr, "cannot write {}\n", settings.csv);
      return 73;
    }
    csv << "product,library,round,gflops\n";
  }
  fmt::print("exact {}, {}, {} thread(s); GFLOP/s, medians of {} rounds\n", exact_gemm().name,
             blas_description(), threads(), settings.rounds);
  fmt::print("| {:40} | exact | BLAS  | oneDNN | exact/BLAS |\n", "product (m x n x k)");
  for (const Shape& shape : shapes()) {
    if (text(shape).find(settings.only) == std::string::npos) continue;
    std::vector<Candidate> candidates = measure(shape, settings);
    for (const Candidate& candidate : candidates)
      for (std::size_t round = 0; csv.is_open() && round < candidate.gflops.size(); ++round)
        csv << '"' << text(shape) << "\"," << candidate.name << ',' << round << ','
            << candidate.gflops[round] << '\n';
    const double exact = candidates[0].median(), blas = candidates[1].median();
    fmt::print("| {:40} | {:5.1f} | {:5.1f} | {:>6} | {:10.2f} |\n", text(shape), exact, blas,
               candidates.size() > 2 ? fmt::format("{:.1f}", candidates[2].median()) : "",
               exact / blas);
    std::fflush(stdout);
  }
  if (csv.is_open() && !csv.flush()) {
    fmt::print(stderr, "cannot write {}\n", settings.csv);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  lockstep::Settings settings;
  int threads = 1;
  bool understood = true;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--csv")
      settings.csv = value;
    else if (option == "--rounds")
      settings.rounds = std::atoi(value);
    else if (option == "--milliseconds")
      settings.milliseconds = std::atof(value);
    else if (option == "--threads")
      threads = std::atoi(value);
    else if (option == "--only")
      settings.only = value;
    else
      understood = false;
  }
  if (!understood || settings.rounds < 1 || settings.milliseconds <= 0 || threads < 1) {
    fmt::print(stderr,
               "usage: matrix_products [--csv FILE] [--rounds N] [--milliseconds X] [--threads N] "
               "[--only TEXT]\n");
    return 64;
  }
  lockstep::set_threads(threads);
  lockstep::set_blas_threads(threads);
  if (omp_set_num_threads) omp_set_num_threads(threads);
  return lockstep::run(settings);
}
