#include "launch/machine/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include "io/files/posix_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPause{5};
constexpr milliseconds kGrace{5000};  ///< for mpirun to end its ranks

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::string name_of(const std::string& setting) {
  return setting.substr(0, setting.find('='));
}

std::vector<std::string> merged_environment(const std::vector<std::string>& more) {
  std::map<std::string, std::string> settings;
  for (char** entry = environ; *entry != nullptr; ++entry) settings[name_of(*entry)] = *entry;
  for (const std::string& setting : more) settings[name_of(setting)] = setting;
  std::vector<std::string> result;
  for (const auto& [name, setting] : settings) result.push_back(setting);
  return result;
}

/// In the child, after fork(): only calls that are safe there.
[[noreturn]] void execute(int parent, char* const* words, char* const* environment, int log) {
  ::setpgid(0, 0);  // a Ctrl-C on the terminal is the parent's to pass on
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  ::signal(SIGPIPE, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execve(words[0], words, environment);
  for (const char* part : {static_cast<const char*>(words[0]), " cannot be executed\n"}) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::_exit(127);
}

std::string read_proc(int id, const char* file) {
  std::ifstream stream(fmt::format("/proc/{}/{}", id, file), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

struct ProcStat {
  int parent = 0;
  std::string born;
};

/// None: there is no such process, or it has died and waits for its parent.
std::optional<ProcStat> stat_of(int id) {
  const std::string text = read_proc(id, "stat");
  const std::size_t name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, skipped;
  ProcStat stat;
  fields >> state >> stat.parent;
  constexpr int kBetween = 17;  // fields 5 to 21
  for (int i = 0; i < kBetween; ++i) fields >> skipped;
  fields >> stat.born;
  if (!fields || state == "Z" || state == "X") return std::nullopt;
  return stat;
}

bool still_is(const ProcessId& process) {
  const auto stat = stat_of(process.id);
  return stat && stat->born == process.born;
}

}  // namespace

std::string shell_line(const ChildCommand& command) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  std::string line;
  for (const std::string& word : command.words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char letter : word) line += letter == '\'' ? "'\\''" : std::string(1, letter);
    line += '\'';
  }
  return line;
}

ChildProcess::ChildProcess(const ChildCommand& command) {
  std::vector<std::string> words = command.words;
  std::vector<std::string> environment = merged_environment(command.environment);
  const std::vector<char*> word_pointers = pointers(words);
  const std::vector<char*> environment_pointers = pointers(environment);
  const FileDescriptor output(::open(
      command.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644));
  check(output.get() >= 0, ExitCode::kCannotCreate, "[{}] cannot be written: {}",
        printable(command.log.string()), system_message(errno));
  const int parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0) execute(parent, word_pointers.data(), environment_pointers.data(), output.get());
  check(id_ > 0, ExitCode::kInputOutput, "[{}] cannot be started: {}", printable(words[0]),
        system_message(errno));
}

ChildProcess::~ChildProcess() {
  if (has_ended()) return;
  const std::vector<ProcessId> others = descendants(id_);
  ::kill(id_, SIGTERM);
  const auto deadline = steady_clock::now() + kGrace;
  while (!has_ended() && steady_clock::now() < deadline) std::this_thread::sleep_for(kPause);
  if (!exit_code_) {
    ::kill(id_, SIGKILL);
    while (!has_ended()) std::this_thread::sleep_for(kPause);
  }
  const auto end = steady_clock::now() + kGrace;
  for (const ProcessId& process : others) {
    while (kill_process(process) && steady_clock::now() < end) std::this_thread::sleep_for(kPause);
  }
}

bool ChildProcess::has_ended() {
  if (exit_code_) return true;
  int status = 0;
  const pid_t ended = ::waitpid(id_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
  if (ended < 0) {
    exit_code_ = 127;  // somebody else has waited for it
  } else {
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return true;
}

std::optional<int> ChildProcess::wait(milliseconds limit, const std::function<void()>& meanwhile) {
  const auto deadline = steady_clock::now() + limit;
  while (!has_ended()) {
    if (steady_clock::now() >= deadline) return std::nullopt;
    meanwhile();
    std::this_thread::sleep_for(kPause);
  }
  return exit_code_;
}

std::vector<ProcessId> descendants(int parent) {
  std::multimap<int, ProcessId> children;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    int id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (const auto stat = stat_of(id)) children.emplace(stat->parent, ProcessId{id, stat->born});
  }
  std::vector<ProcessId> found;
  std::vector<int> parents = {parent};
  while (!parents.empty()) {
    const auto [begin, end] = children.equal_range(parents.back());
    parents.pop_back();
    for (auto child = begin; child != end; ++child) {
      found.push_back(child->second);
      parents.push_back(child->second.id);
    }
  }
  return found;
}

bool runs_this_program(const ProcessId& process) {
  std::error_code ignored;
  const std::string path = fmt::format("/proc/{}/exe", process.id);
  return std::filesystem::equivalent(path, "/proc/self/exe", ignored) && still_is(process);
}

std::optional<int> rank_of(const ProcessId& process) {
  const std::string environment = read_proc(process.id, "environ");
  std::map<std::string, std::string> settings;
  std::istringstream entries(environment);
  for (std::string entry; std::getline(entries, entry, '\0');) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) settings[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  const auto launcher = find_launcher([&](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : found->second.c_str();
  });
  if (!launcher) return std::nullopt;
  return launcher->task;
}

bool kill_process(const ProcessId& process) {
  return still_is(process) && ::kill(process.id, SIGKILL) == 0;
}

}  // namespace lockstep
