/// Random configurations of a training, each in several variants that must not change a bit: the
/// ranks that take part, threads, ways of exchange, a stop and resumption on other ranks, and the
/// floating-point environment of the caller, another one on each rank.
///
///   mpirun -n 5 random_search FIRST COUNT [--variants N] [--fast] [--no-environments] [--verbose]
///
/// Configuration i is a function of i alone. For each, rank 0 prints "begin i" and "same i RESULT",
/// or "differs i" with all of its variants. Exit code 1 if any differs. --fast: fast numerics, for
/// which they may.
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/random/configuration.hpp"
#include "tests/random/variant_run.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep::test {
namespace {

constexpr unsigned kSecondsOfAConfiguration = 60;

struct Search {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  int variants = 3;
  bool verbose = false;
  SearchSettings settings;
};

/// Returns whether all variants give the same.
bool search(const Communicator& world, std::uint64_t seed, const Search& options,
            const std::filesystem::path& file) {
  const Configuration configuration = draw_configuration(seed);
  std::string expected;
  std::string report;
  bool same = true;
  for (int number = 0; number < options.variants; ++number) {
    const Variant variant = draw_variant(seed, number, world.size(), configuration.options.epochs);
    const std::string result = run_variant(world, configuration, variant, options.settings, file);
    if (number == 0) expected = result;
    same = same && result == expected && !result.starts_with("not designed");
    report += fmt::format("  {}\n    {}\n", variant.describe(), result);
  }
  if (!world.is_root()) return same;
  fmt::print("{} {} {}\n", same ? "same" : "differs", seed, same ? expected : "");
  if (!same || options.verbose) fmt::print("  {}\n{}", configuration.describe(), report);
  std::fflush(stdout);
  return same;
}

Search parse(int argc, char** argv) {
  Search options;
  if (argc > 1) options.first = std::strtoull(argv[1], nullptr, 10);
  if (argc > 2) options.count = std::strtoull(argv[2], nullptr, 10);
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--variants" && i + 1 < argc) options.variants = std::atoi(argv[++i]);
    if (word == "--fast") options.settings.fast = true;
    if (word == "--no-environments") options.settings.environments = false;
    if (word == "--verbose") options.verbose = true;
  }
  return options;
}

int run(const Search& options) {
  const Communicator world = test::world();
  const SharedDirectory directory(world);
  bool same = true;
  for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    ::alarm(kSecondsOfAConfiguration);  // its signal ends a job that hangs
    if (world.is_root()) {
      fmt::print("begin {}\n", seed);
      std::fflush(stdout);
    }
    same = search(world, seed, options, directory / "stop.h5") && same;
  }
  ::alarm(0);
  return same ? 0 : 1;
}

}  // namespace
}  // namespace lockstep::test

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const int code = lockstep::test::run(lockstep::test::parse(argc, argv));
  MPI_Finalize();
  return code;
}
