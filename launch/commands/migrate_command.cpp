#include <fmt/ranges.h>

#include "io/files/atomic_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/cli/screen.hpp"
#include "launch/migrate/config_text.hpp"
#include "launch/migrate/migration.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"help(Usage: lockstep migrate SCRIPT.py [--out FILE.cfg] [options]

Reads a Python script that trains a network of Keras, without running it, and prints the config file
for lockstep train that does the same: layers, compile, fit, callbacks, and how the dataset file is
made. Of several fits, the later ones go on from what the ones before have left.

Options:
  --out FILE.cfg           write it there (the second fit's to FILE-2.cfg) instead of printing it; a
                           network that is no chain of layers goes beside it, as FILE.json, and needs
                           this option
  --data FILE.h5           the dataset file's name in the config
  --overwrite              replace these files if they are there

Every line that has a part in the training, or may have one, and is not carried over is quoted on
standard error. Exit code 0: the config describes the script's training, but for these; 65: the file
is not Python 3, trains no network, or one that cannot be carried over.
)help";

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

struct Wanted {
  fs::path script, out;  ///< out: empty, or FILE.cfg
  std::string data;
  bool overwrite = false;
};

Wanted parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  known.add_options()("script", po::value<std::string>(), "")("out", po::value<std::string>(), "")(
      "data", po::value<std::string>(), "")("overwrite", "");
  po::positional_options_description positional;
  positional.add("script", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("script"), ExitCode::kUsage, "[options] expected SCRIPT.py, got none");
  Wanted wanted;
  wanted.script = given["script"].as<std::string>();
  if (given.contains("out")) wanted.out = given["out"].as<std::string>();
  if (given.contains("data")) wanted.data = given["data"].as<std::string>();
  wanted.overwrite = given.contains("overwrite");
  check(!given.contains("out") || wanted.out.extension() == ".cfg", ExitCode::kUsage,
        "[options] --out: expected a name that ends in .cfg, got '{}'",
        printable(wanted.out.string()));
  return wanted;
}

/// Of the run with this number, from 0.
fs::path config_path(const Wanted& wanted, std::size_t run) {
  fs::path path =
      wanted.out.empty() ? fs::path(wanted.script.stem().string() + ".cfg") : wanted.out;
  if (run > 0) path.replace_filename(fmt::format("{}-{}.cfg", path.stem().string(), run + 1));
  return path;
}

fs::path model_path(const Wanted& wanted, std::size_t run) {
  return config_path(wanted, run).replace_extension(".json");
}

void use_data(MigratedRun& run, std::string data) {
  if (data.empty()) return;
  if (run.data_number > 1) {
    fs::path path = data;
    path.replace_filename(
        fmt::format("{}-{}{}", path.stem().string(), run.data_number, path.extension().string()));
    data = path.string();
  }
  for (auto& [key, value] : run.settings)
    if (key == "data") value = data;
  if (!run.import.empty()) run.import = run.import.substr(0, run.import.rfind(' ') + 1) + data;
  run.data = data;
}

/// Warnings on what is not carried over; throws if there is no network without it.
void tell(const Migration& migration, const std::string& name) {
  Problems fatal;
  for (const auto& [line, unread] : migration.unread) {
    if (unread.fatal) {
      fatal.add(fmt::format("[{}] line {}, {}", name, line, unread.text), unread.reason);
    } else {
      print_error(
          fmt::format("warning: [{}] line {}, {}: {}", name, line, unread.text, unread.reason));
    }
  }
  fatal.throw_if_any(ExitCode::kBadData);
  check(!migration.runs.empty(), ExitCode::kBadData,
        "[{}] expected a script that trains a network of Keras by fit(), found none", name);
}

}  // namespace

ExitCode run_migrate(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(kHelp);
    return ExitCode::kDone;
  }
  const Wanted wanted = parse(context.arguments);
  const std::string name = printable(wanted.script.string());
  const std::string script = read_file(wanted.script);
  check(script.size() <= kMostBytes, ExitCode::kBadData,
        "[{}] expected a script of at most {} bytes, got {}", name, kMostBytes, script.size());
  Migration migration = migrate(script, wanted.script.string());
  tell(migration, name);

  std::vector<std::string> texts;
  for (std::size_t i = 0; i < migration.runs.size(); ++i) {
    MigratedRun& run = migration.runs[i];
    use_data(run, wanted.data);
    const fs::path config = config_path(wanted, i);
    check(run.model_json.empty() || !wanted.out.empty(), ExitCode::kUsage,
          "[options] expected --out FILE.cfg, beside which the network is written: that of line {} "
          "is "
          "no chain of layers",
          run.line);
    texts.push_back(config_text(run, wanted.script.filename().string(), config.string(),
                                model_path(wanted, i).filename().string(),
                                i == 0 ? migration.notes : std::vector<std::string>()));
    try {
      check_config(run, texts.back(), config.string());
    } catch (const Error& error) {
      fail(ExitCode::kBadData, "[{}] line {}: lockstep train does not take what it would be: {}",
           name, run.line, error.what());
    }
  }
  if (wanted.out.empty()) {
    print_now(fmt::format("{}", fmt::join(texts, "\n")));
    return ExitCode::kDone;
  }
  const std::vector<InputFile> inputs = {{"SCRIPT.py", wanted.script}};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    check_output_file(config_path(wanted, i), wanted.overwrite, inputs);
    if (!migration.runs[i].model_json.empty())
      check_output_file(model_path(wanted, i), wanted.overwrite, inputs);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!migration.runs[i].model_json.empty())
      write_atomically(model_path(wanted, i), migration.runs[i].model_json);
    write_atomically(config_path(wanted, i), texts[i]);
    if (!migration.runs[i].import.empty()) print_now(migration.runs[i].import + "\n");
    print_now(
        fmt::format("mpirun -n 2 lockstep train {}\n", printable(config_path(wanted, i).string())));
  }
  return ExitCode::kDone;
}

}  // namespace lockstep
