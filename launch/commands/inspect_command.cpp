#include <nlohmann/json.hpp>

#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/inspect_report.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp = R"(Usage: lockstep inspect FILE [--json]

Says what a file holds:
  a dataset file            its datasets: shape, type, chunks, filters, size; of label vectors the
                            range and the rows of each class
  a Keras model (.h5,       the table of layers, optimizer, loss, metrics, SHA-256 of the weights;
  .keras, .json)            of a network that Lockstep lacks, the list of its layers
  a checkpoint of Lockstep  the same, how training stands, and whether the file is whole
  a Keras weights file      its tensors and their SHA-256

Options:
  --json                    the same as JSON

Exit code 65: the file is damaged, nothing of these, or a part of it cannot be used.
)";

}  // namespace

ExitCode run_inspect(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(kHelp);
    return ExitCode::kDone;
  }
  po::options_description options;
  options.add_options()("file", po::value<std::string>())("json", po::bool_switch());
  po::positional_options_description positional;
  positional.add("file", 1);
  const po::variables_map given = parse_arguments(context.arguments, options, positional);
  check(given.count("file") == 1, ExitCode::kUsage,
        "[inspect] expected a file (lockstep inspect FILE.h5), got none");
  const nlohmann::ordered_json report = inspect_file(given["file"].as<std::string>());
  if (given["json"].as<bool>()) {
    using OnBadText = nlohmann::json::error_handler_t;
    print_now(report.dump(2, ' ', false, OnBadText::replace) + "\n");
  } else {
    print_now(inspection_text(report));
  }
  if (report.contains("problem"))
    throw Error(ExitCode::kBadData, report["problem"].get<std::string>());
  return ExitCode::kDone;
}

}  // namespace lockstep
