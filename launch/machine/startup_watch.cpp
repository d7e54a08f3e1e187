#include "launch/machine/startup_watch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>

#include "launch/cli/screen.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

using namespace std::chrono_literals;

constexpr auto kInterval = 500ms;
constexpr int kPatience = 10;  // intervals with a rank missing: launching itself takes milliseconds

/// /proc/<id>/stat: "id (name) state parent ...", where the name may hold anything.
bool is_running_child(const std::filesystem::path& entry, int parent) {
  if (!std::isdigit(static_cast<unsigned char>(entry.filename().string().front()))) return false;
  std::string line;
  std::getline(std::ifstream(entry / "stat"), line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(line.substr(name_end + 1));
  char state = 0;
  int parent_of_it = 0;
  fields >> state >> parent_of_it;
  return state != 'Z' && parent_of_it == parent;
}

void watch(const std::stop_token& stop, int ranks) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  for (int missing = 0; missing < kPatience;) {
    if (wake.wait_for(lock, stop, kInterval, [] { return false; }); stop.stop_requested()) return;
    const int children = launcher_children(getppid());
    missing = children >= 0 && children < ranks ? missing + 1 : 0;
  }
  print_error(
      fmt::format("expected {} ranks on this host, got {}: the others ended before MPI had started",
                  ranks, launcher_children(getppid())));
  _exit(static_cast<int>(ExitCode::kDisagreement));
}

}  // namespace

int local_ranks(const Environment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"})
    if (const char* value = environment(name)) return std::atoi(value);
  return 0;
}

int launcher_children(int process) {
  // As far as their names begin: Debian has mpirun.openmpi.
  constexpr std::array<std::string_view, 6> kLaunchers = {"mpirun", "mpiexec", "orterun",
                                                          "orted",  "prted",   "hydra_pmi_proxy"};
  const std::string directory = fmt::format("/proc/{}", process);
  std::string name;
  std::getline(std::ifstream(directory + "/comm"), name);
  if (std::ranges::none_of(kLaunchers, [&](auto known) { return name.starts_with(known); }))
    return -1;
  int children = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored))
    children += is_running_child(entry.path(), process);
  return children;
}

StartupWatch::StartupWatch(const Environment& environment) {
  const int ranks = local_ranks(environment);
  if (ranks > 1)
    thread_ = std::jthread([ranks](const std::stop_token& stop) { watch(stop, ranks); });
}

StartupWatch::~StartupWatch() = default;

}  // namespace lockstep
