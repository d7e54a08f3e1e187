#include "io/export/safetensors_read.hpp"
#include "io/export/torch_import.hpp"
#include "io/files/atomic_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"help(Usage: lockstep convert FILE.safetensors --model FILE.json --out MODEL.h5

Puts the weights of a state_dict of PyTorch into a network of the same layers, and writes it as a
file that lockstep and Keras open. Modules are found by their names, where these are the layers'
("fc.one" is a layer named fc_one); else by the order of their names ("2.weight" before "10.weight")
and shapes, which is printed. Equal modules whose names differ in more than numbers have no order:
give their names to the layers. In PyTorch, torch.load() opens a .pt, and
safetensors.torch.save_file(module.state_dict(), "net.safetensors") writes this.

Options:
  --model FILE.json        the network as Keras's model.to_json() writes it
  --layers TEXT            or in Keras's words, with its input shape: "Input((784,)), Dense(10)"
  --out MODEL.h5|.keras    the file to write: HDF5 that Keras 2 and 3 open, or Keras 3's archive
  --overwrite              replace it if it is there

Epsilons and momenta of normalizations, and activations, are the network's: no state_dict has them.
Images are channels last in the network: weights of features behind a Flatten of them, or in front
of a Reshape to them, are put in that order, which is printed; but not those of a file that lockstep
export wrote, whose module flattens as Keras does. If PyTorch has trained that one further, keep its
mark: save_file(module.state_dict(), "net.safetensors", {"format": "pt", "lockstep": "1"}).
Exit code 65: the file is damaged, or tensors do not fit the network; all of them are named.
)help";

struct Conversion {
  fs::path file, out;
  ModelSource network;
  bool overwrite = false;
};

Conversion parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  known.add_options()("file", po::value<std::string>(), "")(
      "model", po::value<std::string>()->default_value(""), "")(
      "layers", po::value<std::string>()->default_value(""), "")("out", po::value<std::string>(),
                                                                 "")("overwrite", "");
  po::positional_options_description positional;
  positional.add("file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("file"), ExitCode::kUsage, "[options] expected FILE.safetensors, got none");
  check(given.contains("out"), ExitCode::kUsage,
        "[options] expected --out FILE (.h5 or .keras), got none");
  Conversion wanted;
  wanted.file = given["file"].as<std::string>();
  wanted.out = given["out"].as<std::string>();
  wanted.overwrite = given.contains("overwrite");
  wanted.network.model = given["model"].as<std::string>();
  wanted.network.layers = given["layers"].as<std::string>();
  check(wanted.network.model.empty() != wanted.network.layers.empty(), ExitCode::kUsage,
        "[options] expected one of --model FILE.json and --layers TEXT, got {}",
        wanted.network.model.empty() ? "none" : "both");
  const std::string ending = wanted.out.extension().string();
  check(ending == ".h5" || ending == ".hdf5" || ending == ".keras", ExitCode::kUsage,
        "[options] --out: expected a name that ends in .h5 or .keras, got {}",
        printable(wanted.out.string()));
  return wanted;
}

/// There are no rows here that could tell it.
void expect_input_shape(const ModelSource& source) {
  const Network network = source.layers.empty() ? model_from_json_text(read_file(source.model))
                                                : model_from_layers_text(source.layers);
  check(network.built(), ExitCode::kUsage,
        "[options] expected a network that begins with its input shape: Input((784,)), ...");
}

}  // namespace

ExitCode run_convert(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(kHelp);
    return ExitCode::kDone;
  }
  const Conversion wanted = parse(context.arguments);
  check_output_file(wanted.out, wanted.overwrite,
                    {{"FILE.safetensors", wanted.file}, {"--model", wanted.network.model}});
  const std::string name = wanted.file.string();
  const auto state_dict = read_safetensors(read_file(wanted.file), name);
  expect_input_shape(wanted.network);
  LoadedModel loaded = read_network(wanted.network, {});
  std::vector<std::string> notes;
  try {
    notes = import_from_torch(loaded.model, state_dict);
  } catch (const Error& error) {
    fail(error.code(), "[{}] does not fit the network: {}", printable(name), error.what());
  }
  save_model(wanted.out, loaded.model, nullptr, "");
  print_notes(wanted.network, loaded.remarks);
  for (const std::string& note : notes)
    print_error(fmt::format("note: [{}] {}", printable(name), note));
  print_now(fmt::format("model in {}\n", printable(wanted.out.string())));
  return ExitCode::kDone;
}

}  // namespace lockstep
