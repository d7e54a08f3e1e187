#include "launch/train/run_directory.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "io/files/atomic_file.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// Tells our config.cfg from one that a user wrote.
constexpr std::string_view kConfigHeader =
    "# The options of this run, written by lockstep train.\n\n";
constexpr std::string_view kPrefix = "ckpt-";
constexpr std::string_view kSuffix = ".h5";

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{}{}", kPrefix, step, kSuffix);
}

[[noreturn]] void fail_to(const char* action, const fs::path& path, const std::error_code& error) {
  const ExitCode code =
      error == std::errc::permission_denied ? ExitCode::kPermission : ExitCode::kCannotCreate;
  fail(code, "[{}] cannot {}: {}", printable(path.string()), action, error.message());
}

bool is_there(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (error && status.type() != fs::file_type::not_found)
    fail_to("look for this file", path, error);
  return fs::exists(status);
}

std::int64_t epochs_in(const fs::path& history) {
  return static_cast<std::int64_t>(history_from_csv(read_file(history)).size());
}

/// The first line in which two texts differ: "'units: 8' there, 'units: 9' here".
std::string first_difference(const std::string& there, const std::string& here) {
  std::istringstream theirs(there);
  std::istringstream ours(here);
  std::string their_line;
  std::string our_line;
  const auto next = [](std::istream& text, std::string& line) {
    if (!std::getline(text, line)) line = "end";
    return printable(
        std::string_view(line).substr(std::min(line.find_first_not_of(' '), line.size())));
  };
  while (theirs || ours) {
    const std::string a = next(theirs, their_line);
    const std::string b = next(ours, our_line);
    if (a != b) return fmt::format("'{}' there, '{}' here", a, b);
  }
  return "white space";
}

/// The networks' input shapes; none if one of the texts is no network.
std::optional<std::pair<Shape, Shape>> input_shapes(const std::string& there,
                                                    const std::string& here) {
  try {
    return std::pair(model_from_json_text(there).input_shape(),
                     model_from_json_text(here).input_shape());
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<std::int64_t> step_of_checkpoint(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const char* first = name.data() + kPrefix.size();
  const char* last = name.data() + name.size() - kSuffix.size();
  std::int64_t step = 0;
  if (first >= last || *first == '-') return std::nullopt;
  const auto [stop, error] = std::from_chars(first, last, step);
  if (error != std::errc() || stop != last) return std::nullopt;
  return checkpoint_name(step) == name ? std::optional(step) : std::nullopt;
}

fs::path RunDirectory::checkpoint(std::int64_t step) const {
  return checkpoints() / checkpoint_name(step);
}

std::vector<fs::path> RunDirectory::files() const {
  using enum ModelFormat;
  return {model("best", kHdf5),
          model("best", kKeras),
          model("final", kHdf5),
          model("final", kKeras),
          history(),
          model_json(),
          status(),
          config()};
}

bool RunDirectory::holds_results() const {
  return std::ranges::any_of(files(), is_there) || !checkpoint_files().empty();
}

std::vector<CheckpointFile> RunDirectory::checkpoint_files() const {
  std::vector<CheckpointFile> files;
  if (!held_ && !is_there(checkpoints())) return files;
  const Directory directory =
      held_ ? held_->subdirectory(checkpoints().filename()) : Directory(checkpoints());
  for (const std::string& name : directory.file_names())
    if (const auto step = step_of_checkpoint(name)) files.push_back({checkpoints() / name, *step});
  std::ranges::sort(files, std::greater(), &CheckpointFile::step);
  return files;
}

Beginning RunDirectory::decide(const TrainSettings& settings, const std::string& model_json) const {
  const std::string name = printable(path_.string());
  const bool empty = !holds_results();
  if (!empty) refuse_foreign_files();
  if (empty || settings.overwrite) {
    check(settings.resume != Resume::kRequired, ExitCode::kMissingInput,
          "[{}] expected a checkpoint to go on from (--resume required), got none", name);
    return Beginning::kFresh;
  }
  check(settings.resume != Resume::kNever, ExitCode::kCannotCreate,
        "[{}] expected no results (--resume never), got those of an earlier run; choose another "
        "--run-dir, or --overwrite",
        name);
  const TrainSettings there = refuse_other_run(settings, model_json);
  if (!checkpoint_files().empty()) return Beginning::kResume;

  check(settings.resume != Resume::kRequired, ExitCode::kMissingInput,
        "[{}] expected a checkpoint to go on from (--resume required), got none", name);
  // A checkpoint is written before the epoch enters history.csv.
  const bool lost = is_there(model("final", ModelFormat::kHdf5)) ||
                    is_there(model("final", ModelFormat::kKeras)) ||
                    (is_there(history()) && epochs_in(history()) >= there.checkpoint_every);
  check(!lost, ExitCode::kCannotCreate,
        "[{}] holds results without a checkpoint to go on from; choose another --run-dir, or "
        "--overwrite",
        name);
  return Beginning::kFresh;  // that run had not come to its first checkpoint
}

/// A user's own model.json or config.cfg must not be replaced, whatever the options.
void RunDirectory::refuse_foreign_files() const {
  check(is_there(config()) && read_file(config()).starts_with(kConfigHeader),
        ExitCode::kCannotCreate,
        "[{}] expected an empty directory or that of a run, got files of such names without the "
        "config.cfg that a run writes; choose another --run-dir",
        printable(path_.string()));
}

TrainSettings RunDirectory::refuse_other_run(const TrainSettings& settings,
                                             const std::string& model_json) const {
  const std::string name = printable(path_.string());
  const ExitCode code =
      settings.resume == Resume::kRequired ? ExitCode::kUsage : ExitCode::kCannotCreate;
  TrainSettings there;
  try {
    there = train_settings_from_config(read_file(config()), config().string());
  } catch (const Error& error) {
    const bool wrong = error.code() == ExitCode::kUsage;
    throw Error(wrong ? ExitCode::kBadData : error.code(), error.what());
  }
  const std::vector<std::string> differences = differing_options(there, settings);
  check(differences.empty(), code,
        "[{}] holds another run: {}; choose another --run-dir, or --overwrite", name,
        fmt::join(differences, "; "));
  if (is_there(this->model_json())) {
    const std::string network = read_file(this->model_json());
    if (network != model_json) refuse_other_network(network, model_json, settings, code);
  }
  return there;
}

/// With the same options, another network comes from another file under an old name.
void RunDirectory::refuse_other_network(const std::string& there, const std::string& here,
                                        const TrainSettings& settings, ExitCode code) const {
  const std::string name = printable(path_.string());
  const auto shapes = input_shapes(there, here);
  check(!shapes || shapes->first == shapes->second, ExitCode::kBadData,
        "[{}] expected rows of shape {} in {}, as this run began with, got {}; put the old data "
        "back, or choose another --run-dir, or --overwrite",
        name, shapes ? to_string(shapes->first) : "", printable(settings.data),
        shapes ? to_string(shapes->second) : "");
  const std::string& file = settings.from.empty() ? settings.model : settings.from;
  check(file.empty(), ExitCode::kBadData,
        "[{}] expected the network in {} that this run began with, got another one: {}; put the "
        "old file back, or choose another --run-dir, or --overwrite",
        name, printable(file), first_difference(there, here));
  fail(code,
       "[{}] holds another run: another network in model.json than here: {}; choose another "
       "--run-dir, or --overwrite",
       name, first_difference(there, here));
}

void RunDirectory::write_description(const TrainSettings& settings,
                                     const std::string& model_json) const {
  write(config(), std::string(kConfigHeader) + to_config(settings));
  write(this->model_json(), model_json);
}

}  // namespace lockstep
