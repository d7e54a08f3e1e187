#include "src/core/system_files.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "src/core/memory.hpp"

namespace lockstep {

std::string value_in(const std::filesystem::path& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? "" : line.substr(first);
  }
  return "";
}

std::optional<std::int64_t> leading_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

namespace {

std::optional<std::int64_t> number_in_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return leading_number(line);
}

/// What is left below the tightest limit of this process's cgroup (version 2) and its parents.
std::optional<std::int64_t> left_in_cgroup() {
  const std::filesystem::path root = "/sys/fs/cgroup";
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("0::/")) {
  }
  if (!line.starts_with("0::/")) return std::nullopt;
  std::optional<std::int64_t> least;
  for (std::filesystem::path group = line.substr(4);; group = group.parent_path()) {
    const auto limit = number_in_file(root / group / "memory.max");
    const auto used = number_in_file(root / group / "memory.current");
    if (limit && used) {
      const std::int64_t left = std::max<std::int64_t>(*limit - *used, 0);
      least = std::min(least.value_or(left), left);
    }
    if (group.empty()) return least;
  }
}

}  // namespace

std::optional<std::int64_t> available_memory() {
  std::optional<std::int64_t> kilobytes = leading_number(value_in("/proc/meminfo", "MemAvailable"));
  const std::optional<std::int64_t> limited = left_in_cgroup();
  if (!kilobytes) return limited;
  return std::min(*kilobytes * 1024, limited.value_or(*kilobytes * 1024));
}

std::string address_space_in_words() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  if (pages == 0) return "";
  std::string text =
      "; this process has " + mebibytes(pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    text += fmt::format(" of the {} that ulimit -v allows", mebibytes(limit.rlim_cur));
  return text;
}

std::int64_t resident_memory() {
  return leading_number(value_in("/proc/self/smaps_rollup", "Pss")).value_or(0) * 1024;
}

}  // namespace lockstep
