#include "launch/machine/doctor_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "distributed/ranks/host_memory.hpp"
#include "distributed/ranks/session.hpp"
#include "io/hdf5/hdf5.hpp"
#include "launch/machine/blas_correction.hpp"
#include "launch/machine/host_report.hpp"
#include "launch/machine/machine.hpp"
#include "launch/machine/matrix_rate.hpp"
#include "src/core/error.hpp"
#include "src/core/hash.hpp"
#include "src/core/printable.hpp"
#include "src/core/system_files.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

Finding warn_if(bool bad, std::string item, std::string text, std::string advice) {
  if (!bad) return {Level::kOk, std::move(item), std::move(text), ""};
  return {Level::kWarn, std::move(item), std::move(text), std::move(advice)};
}

Finding fail_if(bool bad, std::string item, std::string text, std::string advice) {
  Finding finding = warn_if(bad, std::move(item), std::move(text), std::move(advice));
  if (bad) finding.level = Level::kFail;
  return finding;
}

std::string gigabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(1024 * kMiB));
}

// --- Of a host: every rank takes part, the host's first rank's words count ---

Finding check_cpu() {
  const std::string sets = instruction_sets();
  const std::string cpu =
      fmt::format("{}; {}", cpu_model(), sets.empty() ? "neither AVX2 nor FMA" : sets);
  try {
    return warn_if(sets.empty(), "CPU", fmt::format("{}; loops: {}", cpu, kernels().name),
                   "Lockstep works on this CPU, but slowly; use one with AVX2 and FMA");
  } catch (const Error& error) {
    return {Level::kFail, "CPU", fmt::format("{}; {}", cpu, error.what()),
            "unset LOCKSTEP_KERNELS"};
  }
}

Finding check_blas() {
  const BlasReport report = blas_report();
  std::string text = blas_description();
  if (report.kernel_corrected())
    text += fmt::format(" (corrected: OpenBLAS had chosen {})", report.found_first);
  if (report.user_chose_kernel) text += " (chosen by OPENBLAS_CORETYPE)";
  return warn_if(report.crippled, "BLAS", text, blas_warning(report));
}

/// All ranks of the host multiply at the same time, as they will in training; the slowest counts.
Finding check_rate(const Communicator& host) {
  constexpr double kPoor = 0.4;  // many CPUs have one AVX-512 unit, not two
  const double peak = measured_clock() * operations_per_cycle("");
  const auto slowest = [&](double rate) {
    return static_cast<double>(host.all_min(static_cast<std::int64_t>(rate * 1e3))) / 1e3;
  };
  host.barrier();
  const double wide = slowest(matrix_rate(Numerics::kExact, 128, 2048, 2048));
  host.barrier();
  const double narrow = slowest(matrix_rate(Numerics::kExact, 32, 64, 784));
  std::string text = fmt::format(
      "{:.0f} GFLOP/s a rank for 128 x 2048 x 2048, {:.0f} for 32 x 64 x 784, exact, one thread",
      wide, narrow);
  if (peak > 0) text += fmt::format("; {:.0f} % of an estimated {:.0f}", 100 * wide / peak, peak);
  double load = 0;
  ::getloadavg(&load, 1);
  return warn_if(
      wide < kPoor * peak, "matrix product", text,
      fmt::format("something else runs on these cores (load average {:.1f}), or they are "
                  "throttled: look with top, bind each rank to a core of its own",
                  load));
}

Finding check_window(const Communicator& host) {
  constexpr std::byte kMark{0x5a};
  try {
    const HostMemory memory(host, static_cast<std::size_t>(kMiB));
    if (host.is_root()) std::ranges::fill(memory.bytes(), kMark);
    memory.synchronize();
    const bool seen = std::ranges::count(memory.bytes(), kMark) == kMiB;
    const bool all_see = host.all_min(seen ? 1 : 0) == 1;
    memory.synchronize();
    if (!memory.shared()) {
      return warn_if(true, "shared window", "not available: each rank will hold the data itself",
                     "make room in /dev/shm and in the temporary directory");
    }
    return fail_if(!all_see, "shared window",
                   all_see ? "the ranks of the host share memory"
                           : "what one rank writes, another does not see",
                   "another MPI library, or one rank a host");
  } catch (const Error& error) {
    return {Level::kFail, "shared window", error.what(),
            "make room in /dev/shm and in the temporary directory"};
  }
}

Finding check_shm() {
  const std::optional<FileSystemSpace> space = space_on("/dev/shm");
  const std::string text =
      space ? fmt::format("{} free of {}", gigabytes(space->available), gigabytes(space->size))
            : "is not there";
  return warn_if(!space || space->available < 512 * kMiB, "/dev/shm", text,
                 "the dataset lives there while training: give it more room (containers: "
                 "--shm-size=8g)");
}

Finding check_memory(const Communicator& host) {
  const std::optional<std::int64_t> bytes = available_memory();
  if (!bytes) return {Level::kOk, "memory", "the system does not tell", ""};
  const std::int64_t per_rank = *bytes / host.size();
  return warn_if(per_rank < 512 * kMiB, "memory",
                 fmt::format("{} available, {} a rank", gigabytes(*bytes), gigabytes(per_rank)),
                 "start fewer ranks, or ask the batch system for more memory");
}

Finding check_threads(int threads) {
  std::string text = fmt::format("{} a rank", threads);
  for (const char* name : {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (const char* value = std::getenv(name))
      text += fmt::format(", {}={}", name, printable(value));
  }
  return {Level::kOk, "threads", text, ""};
}

std::vector<Finding> examine_host(const Communicator& host, int threads) {
  return {check_cpu(),        check_blas(), check_rate(host),  check_threads(threads),
          check_window(host), check_shm(),  check_memory(host)};
}

// --- Of the world ---

std::size_t host_count(const std::vector<RankPlace>& places) {
  std::set<int> hosts;
  for (const RankPlace& place : places) hosts.insert(place.host);
  return hosts.size();
}

Finding check_ranks(const std::vector<RankPlace>& places) {
  const std::size_t hosts = host_count(places);
  std::string text = fmt::format("{} on {} host{}", places.size(), hosts, hosts == 1 ? "" : "s");
  // After MPI_Init a single process looks as if it had been launched.
  if (places.size() > 1) text += ", started by " + launcher_name();
  return {Level::kOk, "ranks", text, ""};
}

Finding check_affinity(const std::vector<RankPlace>& places, int threads) {
  constexpr std::size_t kListed = 8;
  std::string text;
  for (std::size_t rank = 0; rank < std::min(places.size(), kListed); ++rank) {
    text += fmt::format("{}rank {} may use core{} {}", rank == 0 ? "" : "; ", rank,
                        places[rank].bound.size() == 1 ? "" : "s", core_list(places[rank].bound));
  }
  if (places.size() > kListed) text += fmt::format("; and {} more", places.size() - kListed);
  const std::string warning = shared_cores_warning(places, threads, launcher_name());
  return warn_if(!warning.empty(), "affinity", text, warning);
}

/// The promise of equal replicas stands on it.
Finding check_allreduce(const Communicator& world) {
  std::vector<float> values(100'000);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 1.0f / (1.0f + static_cast<float>(i) + static_cast<float>(world.rank()));
  world.all_sum(std::span(values));
  const auto bits = static_cast<std::int64_t>(fast_hash(std::as_bytes(std::span(values)))[0]);
  const bool same = world.all_min(bits) == world.all_max(bits);
  return fail_if(!same, "allreduce",
                 same ? "every rank gets the same bits" : "ranks get different bits",
                 "this MPI library cannot keep replicas equal: use another one or another version");
}

Finding check_current_directory() {
  const DirectoryCheck result = check_directory(".");
  const std::string version = "HDF5 " + hdf5::library_version();
  if (!result.writable) {
    return {Level::kWarn, "current directory",
            fmt::format("{}; cannot be written: {}", version, result.reason),
            "name another place for results: --run-dir"};
  }
  if (!result.hdf5_works) {
    return {Level::kFail, "current directory", fmt::format("{}; {}", version, result.reason),
            "use another file system for data and results"};
  }
  return warn_if(!result.lockable, "current directory",
                 result.lockable
                     ? version + "; files can be written, read and locked"
                     : fmt::format("{}; files cannot be locked: {}", version, result.reason),
                 "Lockstep reads without locks; other HDF5 programs need "
                 "HDF5_USE_FILE_LOCKING=FALSE here");
}

// --- Putting it together ---

std::string to_text(const std::string& host, const std::vector<Finding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings)
    list.push_back({finding.level, finding.item, finding.text, finding.advice});
  return nlohmann::json{{"host", host}, {"findings", list}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::pair<std::string, std::vector<Finding>> from_text(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text);
  std::vector<Finding> findings;
  for (const nlohmann::json& entry : json["findings"]) {
    findings.push_back({entry[0].get<Level>(), entry[1].get<std::string>(),
                        entry[2].get<std::string>(), entry[3].get<std::string>()});
  }
  return {json["host"].get<std::string>(), findings};
}

}  // namespace

std::vector<Finding> merge_hosts(
    const std::vector<std::pair<std::string, std::vector<Finding>>>& hosts) {
  std::vector<Finding> merged;
  if (hosts.empty()) return merged;
  for (std::size_t item = 0; item < hosts.front().second.size(); ++item) {
    std::vector<std::pair<Finding, std::string>> different;  // and who says it
    for (const auto& [name, findings] : hosts) {
      const auto known =
          std::ranges::find(different, findings[item], &std::pair<Finding, std::string>::first);
      if (known == different.end()) {
        different.emplace_back(findings[item], name);
      } else {
        known->second += ", " + name;
      }
    }
    for (auto& [finding, names] : different) {
      if (different.size() > 1) finding.text = names + ": " + finding.text;
      merged.push_back(finding);
    }
  }
  return merged;
}

std::vector<Finding> examine(const Communicator& world, int threads) {
  const std::vector<RankPlace> places = gather_places(world);
  const RankPlace& mine = places[static_cast<std::size_t>(world.rank())];
  std::vector<Finding> findings = {
      {Level::kOk, "MPI", mpi_library_version(), ""},
      check_ranks(places),
      check_affinity(places, threads),
      check_allreduce(world),
  };

  const Communicator host = world.on_this_host();
  const std::vector<Finding> here = examine_host(host, threads);
  std::vector<std::pair<std::string, std::vector<Finding>>> hosts;
  for (const std::string& text :
       world.all_gather(host.is_root() ? to_text(mine.host_name, here) : ""))
    if (!text.empty()) hosts.push_back(from_text(text));
  const std::vector<Finding> of_hosts = merge_hosts(hosts);
  findings.insert(findings.end(), of_hosts.begin(), of_hosts.end());

  std::string directory;  // rank 0 is the one that writes
  if (world.is_root()) directory = to_text("", {check_current_directory()});
  const std::vector<Finding> last = from_text(world.broadcast(directory)).second;
  findings.insert(findings.end(), last.begin(), last.end());
  return findings;
}

}  // namespace lockstep
