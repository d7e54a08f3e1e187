#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/export_format.hpp"
#include "src/core/json_text.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp =
    R"help(Usage: lockstep export MODEL --out FILE [--to FORMAT] [options]

Writes a saved network (.h5 of Lockstep or Keras, .keras) for other programs.

  --to FORMAT              what to write (default: by the ending of --out):
       keras  FILE.keras   Keras 3's archive, with the optimizer's state
       h5     FILE.h5      HDF5 that Keras 2 and 3 open, with the optimizer's state
       json   FILE.json    the network without weights, as Keras's model.to_json() writes it
       safetensors         PyTorch's state_dict, for a module that --python writes
       onnx   FILE.onnx    ONNX, opset 17. Inputs and outputs are Keras's: channels stand last
  --python FILE.py         of safetensors: the nn.Module that it is of. Its inputs are Keras's:
                           channels stand last
  --keras 2|3              of json: whose form (default 2, which both read)

Options:
  --out FILE               the file to write
  --overwrite              replace it if it is there
  --model FILE.json        instead of MODEL: the network as Keras's model.to_json() writes it
  --layers TEXT            or in Keras's words: "Input((784,)), Dense(64, relu), Dense(10, softmax)"
  --weights FILE           its weights, as Keras's save_weights() writes them

Exit code 65: the file is damaged, or the format has no place for a part of the network; all such
parts are named.
)help";

struct Export {
  ModelSource model;
  std::filesystem::path out;
  std::filesystem::path python;  ///< may be empty
  bool overwrite = false;
  const ExportFormat* format = nullptr;
  ExportOptions options;
};

Export parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  add_model_source(known);
  known.add_options()("to", po::value<std::string>()->default_value(""), "")(
      "out", po::value<std::string>(), "")("overwrite", "")("keras", po::value<std::string>(), "")(
      "python", po::value<std::string>(), "");
  po::positional_options_description positional;
  positional.add("model-file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("out"), ExitCode::kUsage,
        "[options] expected --out FILE (.keras, .h5, .json, .safetensors, .onnx), got none");
  Export result;
  result.model = model_source_from(given);
  result.out = given["out"].as<std::string>();
  result.overwrite = given.contains("overwrite");
  result.format = &export_format(given["to"].as<std::string>(), result.out);
  const std::string to = result.format->name;
  if (given.contains("keras")) {
    const std::string keras = given["keras"].as<std::string>();
    check(keras == "2" || keras == "3", ExitCode::kUsage,
          "[options] --keras: expected 2 or 3, got '{}'", printable(keras));
    check(to == "json", ExitCode::kUsage,
          "[options] --keras: expected it with --to json, got --to {}", to);
    result.options.keras = keras == "2" ? KerasMajor::k2 : KerasMajor::k3;
  }
  if (given.contains("python")) {
    result.python = given["python"].as<std::string>();
    check(to == "safetensors", ExitCode::kUsage,
          "[options] --python: expected it with --to safetensors, got --to {}", to);
    check(result.python.extension() == ".py" && !is_same_file(result.python, result.out),
          ExitCode::kUsage, "[options] --python: expected a name that ends in .py, got {}",
          printable(result.python.string()));
  }
  result.options.out = result.out.filename().string();
  return result;
}

/// A network that cannot be trained here can still be used elsewhere.
void compile_as_saved(Network& model, const std::string& training_config, std::string& lost) {
  if (training_config.empty()) return;
  try {
    const auto json = parse_json(training_config, "training config");
    if (!json.is_null()) compile_from_json(model, json);
  } catch (const Error& error) {
    lost = error.what();
  }
}

}  // namespace

ExitCode run_export(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(kHelp);
    return ExitCode::kDone;
  }
  const Export wanted = parse(context.arguments);
  const std::vector<InputFile> inputs = {{"MODEL", wanted.model.file},
                                         {"--model", wanted.model.model},
                                         {"--weights", wanted.model.weights}};
  check_output_file(wanted.out, wanted.overwrite, inputs);
  if (!wanted.python.empty()) check_output_file(wanted.python, wanted.overwrite, inputs);
  std::string lost;
  const LoadedModel loaded =
      load_network(wanted.model, {}, [&](Network& model, const std::string& training_config) {
        compile_as_saved(model, training_config, lost);
      });
  const Exported exported = wanted.format->write(loaded, wanted.options);
  if (!wanted.python.empty()) write_atomically(wanted.python, exported.python);
  write_atomically(wanted.out, exported.bytes);

  print_notes(wanted.model, loaded.remarks);
  const auto note = [&](const std::string& text) {
    print_error(fmt::format("note: {}: {}", printable(wanted.model.name()), text));
  };
  for (const std::string& text : loaded.remarks.saving_notes) note(text);
  if (!loaded.remarks.training.empty())
    note("written without what only training needs: " + loaded.remarks.training.text());
  if (!lost.empty()) note("written without how it was compiled: " + lost);
  if (loaded.has_optimizer_state && loaded.model.compiled() && !loaded.slots)
    note("written without the optimizer's state, which does not fit it");
  print_now(fmt::format("{} in {}\n", wanted.format->name, printable(wanted.out.string())));
  return ExitCode::kDone;
}

}  // namespace lockstep
