#include "io/files/left_behind.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "io/files/posix_file.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// The process in ".TARGET.PROCESS-NUMBER.tmp"; 0 for another name.
int process_in(std::string_view name, std::string_view target) {
  constexpr std::string_view kEnd = ".tmp";
  if (!name.starts_with('.') || !name.substr(1).starts_with(target) || !name.ends_with(kEnd))
    return 0;
  name.remove_prefix(1 + target.size());
  name.remove_suffix(kEnd.size());
  const std::size_t dash = name.find('-');
  if (name.empty() || name.front() != '.' || dash == std::string_view::npos) return 0;
  int process = 0;
  int number = 0;
  const auto is_number = [](std::string_view text, int& value) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end && value >= 0;
  };
  return is_number(name.substr(1, dash - 1), process) && is_number(name.substr(dash + 1), number)
             ? process
             : 0;
}

bool is_alive(int process) {
  return ::kill(process, 0) == 0 || errno != ESRCH;
}

bool is_locked(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return file.get() < 0 || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

}  // namespace

void remove_left_behind(const fs::path& target) {
  std::error_code error;
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    const int process = process_in(entry->path().filename().string(), target.filename().string());
    if (process > 0 && !is_alive(process) && !is_locked(entry->path()))
      ::unlink(entry->path().c_str());
  }
}

}  // namespace lockstep
