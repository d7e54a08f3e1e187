#include "launch/machine/host_report.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "launch/cli/screen.hpp"
#include "launch/machine/launcher.hpp"

namespace lockstep {
namespace {

constexpr int kMostCores = 8192;

/// A kernel's set of cores, of a size that any machine's fits in.
class CoreSet {
 public:
  CoreSet() : set_(CPU_ALLOC(kMostCores)) { CPU_ZERO_S(bytes(), set_.get()); }

  static CoreSet all() {
    CoreSet cores;
    for (std::size_t core = 0; core < kMostCores; ++core)
      CPU_SET_S(core, bytes(), cores.set_.get());
    return cores;
  }
  static CoreSet of_this_thread() {
    CoreSet cores;
    ::sched_getaffinity(0, bytes(), cores.set_.get());
    return cores;
  }
  bool bind_this_thread() const { return ::sched_setaffinity(0, bytes(), set_.get()) == 0; }

  std::vector<int> list() const {
    std::vector<int> cores;
    for (int core = 0; core < kMostCores; ++core) {
      if (CPU_ISSET_S(static_cast<std::size_t>(core), bytes(), set_.get())) cores.push_back(core);
    }
    return cores;
  }

 private:
  static std::size_t bytes() { return CPU_ALLOC_SIZE(kMostCores); }
  struct Release {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
  };
  std::unique_ptr<cpu_set_t, Release> set_;
};

/// The kernel cuts a request for all cores down to those of the job's cpuset: that tells a binding,
/// which another launcher line cures, from an allocation, which it does not.
std::vector<int> usable_cores(const CoreSet& bound) {
  if (!CoreSet::all().bind_this_thread()) return bound.list();
  std::vector<int> usable = CoreSet::of_this_thread().list();
  bound.bind_this_thread();
  return usable;
}

/// Gives cores to ranks one by one, moving earlier ones aside where that helps: a maximum matching
/// by augmenting paths (Kuhn).
class CoreAssignment {
 public:
  explicit CoreAssignment(const std::vector<const RankPlace*>& ranks) : ranks_(ranks) {}

  /// Whether every rank can have `threads` cores of its own.
  bool fits(int threads) {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      for (int i = 0; i < threads; ++i) {
        std::set<int> tried;
        if (!assign(rank, tried)) return false;
      }
    }
    return true;
  }

 private:
  bool assign(std::size_t rank, std::set<int>& tried) {
    for (const int core : ranks_[rank]->bound) {
      if (!tried.insert(core).second) continue;
      const auto owner = owner_.find(core);
      if (owner == owner_.end() || (owner->second != rank && assign(owner->second, tried))) {
        owner_[core] = rank;
        return true;
      }
    }
    return false;
  }

  const std::vector<const RankPlace*>& ranks_;
  std::map<int, std::size_t> owner_;
};

std::vector<int> all_bound(const std::vector<const RankPlace*>& ranks) {
  std::set<int> cores;
  for (const RankPlace* rank : ranks) cores.insert(rank->bound.begin(), rank->bound.end());
  return {cores.begin(), cores.end()};
}

std::string counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// The launcher's words for `threads` cores of its own for each rank.
std::string binding_cure(int threads, const std::string& launcher) {
  if (launcher == "srun")
    return fmt::format("srun --cpus-per-task={} --cpu-bind=cores ..., or srun --cpu-bind=none ...",
                       threads);
  if (launcher.find("MPICH") != std::string::npos)
    return fmt::format("mpiexec -bind-to core:{} ..., or mpiexec -bind-to none ...", threads);
  return fmt::format("mpirun --bind-to core --map-by {} ..., or mpirun --bind-to none ...",
                     threads == 1 ? "core" : fmt::format("slot:PE={}", threads));
}

std::string host_warning(const std::vector<const RankPlace*>& ranks, int threads,
                         const std::string& launcher) {
  if (CoreAssignment(ranks).fits(threads)) return "";
  const std::vector<int> bound = all_bound(ranks);
  const std::size_t usable = std::max(ranks.front()->usable.size(), bound.size());
  std::string who = counted(ranks.size(), "rank");
  if (threads > 1) who += fmt::format(" of {} threads each", threads);
  who += " on host " + ranks.front()->host_name;

  if (ranks.size() > usable) {
    return fmt::format(
        "{} share {} (oversubscribed), and wait for each other: start at most {} there, mpirun -n "
        "{}",
        who, counted(usable, "core"), usable, usable);
  }
  if (ranks.size() * static_cast<std::size_t>(threads) > usable) {
    return fmt::format("{} share {}: use --threads {}", who, counted(usable, "core"),
                       usable / ranks.size());
  }
  return fmt::format("{} are bound to {} (core {}) of {}, and wait for each other: {}", who,
                     counted(bound.size(), "core"), core_list(bound), usable,
                     binding_cure(threads, launcher));
}

}  // namespace

std::string core_list(const std::vector<int>& cores) {
  std::string text;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t last = i;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cores[i]);
    if (last > i) text += fmt::format("-{}", cores[last]);
    i = last + 1;
  }
  return text;
}

std::vector<int> parse_core_list(const std::string& text) {
  std::vector<int> cores;
  const char* position = text.data();
  const char* const end = position + text.size();
  while (position < end) {
    int first = 0;
    position = std::from_chars(position, end, first).ptr;
    int last = first;
    if (position < end && *position == '-') position = std::from_chars(position + 1, end, last).ptr;
    for (int core = first; core <= last; ++core) cores.push_back(core);
    if (position < end) ++position;  // the comma
  }
  return cores;
}

std::vector<RankPlace> gather_places(const Communicator& world) {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  const CoreSet bound = CoreSet::of_this_thread();
  const std::int64_t host = world.on_this_host().all_min(world.rank());
  const nlohmann::json mine = {{"host", host},
                               {"name", name},
                               {"bound", core_list(bound.list())},
                               {"usable", core_list(usable_cores(bound))}};
  std::vector<RankPlace> places;
  for (const std::string& text : world.all_gather(mine.dump())) {
    const nlohmann::json theirs = nlohmann::json::parse(text);
    places.push_back({.host = theirs["host"].get<int>(),
                      .host_name = theirs["name"].get<std::string>(),
                      .bound = parse_core_list(theirs["bound"].get<std::string>()),
                      .usable = parse_core_list(theirs["usable"].get<std::string>())});
  }
  return places;
}

std::string launcher_name() {
  const auto launcher = find_launcher([](const char* name) { return std::getenv(name); });
  return launcher ? launcher->name : "";
}

std::string shared_cores_warning(const std::vector<RankPlace>& places, int threads,
                                 const std::string& launcher) {
  std::map<int, std::vector<const RankPlace*>> hosts;
  for (const RankPlace& place : places) hosts[place.host].push_back(&place);
  std::string warning;
  std::size_t more = 0;
  for (const auto& [host, ranks] : hosts) {
    std::string line = host_warning(ranks, threads, launcher);
    if (line.empty()) continue;
    if (warning.empty()) {
      warning = std::move(line);
    } else {
      ++more;
    }
  }
  return more == 0 ? warning
                   : warning + fmt::format(" (and the like on {})", counted(more, "host"));
}

void warn_about_shared_cores(const Communicator& world, int threads) {
  const std::string warning = shared_cores_warning(gather_places(world), threads, launcher_name());
  if (world.is_root() && !warning.empty()) print_error("warning: " + warning);
}

}  // namespace lockstep
