#include <algorithm>
#include <filesystem>
#include <optional>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/evaluator.hpp"
#include "io/files/atomic_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/data_source.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/cli/numerics_choice.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp =
    R"help(Usage: lockstep predict MODEL --data FILE.h5 --out PREDICTIONS.h5 [options]

Writes the output of a saved network (.h5 of Lockstep or Keras, .keras) for every row of
x_test, in order, as float32 dataset `predictions`.

Options:
  --data FILE.h5           HDF5 file with the inputs
  --model FILE.json        instead of MODEL: the network as Keras's model.to_json() writes it
  --layers TEXT            or in Keras's words: "Flatten(), Dense(64, relu), Dense(10, softmax)"
  --weights FILE           its weights, as Keras's save_weights() writes them
  --x DATASET              inputs; a path in --data, or FILE.h5:/path (default x_test)
  --out PREDICTIONS.h5     the file to write
  --overwrite              replace it if it is there
  --batch-size N           rows at a time (default 32)
  --trust-data             follow links that lead to other files
  --numerics exact|fast    exact: the same bits on any number of ranks and any CPU with FMA, which
                           is the default where all have it; fast: as the BLAS adds up
  --threads N              threads of each rank for its matrix products (default 1)
)help";
constexpr const char* kDataset = "predictions";

struct PredictOptions {
  ModelSource model;
  ArrayPlace x;
  std::filesystem::path out;
  bool overwrite = false;
  bool trust = false;
  std::int64_t batch_size = 32;
  std::int64_t threads = 1;
  std::optional<Numerics> numerics;
};

PredictOptions parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  add_model_source(known);
  known.add_options()("data", po::value<std::string>(), "")(
      "x", po::value<std::string>()->default_value("x_test"), "")("out", po::value<std::string>(),
                                                                  "")("overwrite", "")(
      "batch-size", po::value<std::int64_t>()->default_value(32), "")("trust-data", "")(
      "numerics", po::value<std::string>(), "")("threads",
                                                po::value<std::int64_t>()->default_value(1), "");
  po::positional_options_description positional;
  positional.add("model-file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("data"), ExitCode::kUsage, "[options] expected --data FILE.h5, got none");
  check(given.contains("out"), ExitCode::kUsage, "[options] expected --out FILE.h5, got none");

  PredictOptions options;
  options.model = model_source_from(given);
  options.x = array_place(given["data"].as<std::string>(), given["x"].as<std::string>());
  options.out = given["out"].as<std::string>();
  options.overwrite = given.contains("overwrite");
  options.trust = given.contains("trust-data");
  options.batch_size = checked_count(given, "batch-size", 1'000'000'000);
  if (given.contains("numerics"))
    options.numerics = numerics_from_text(given["numerics"].as<std::string>());
  options.threads = checked_count(given, "threads", 1024);
  return options;
}

void check_output(const PredictOptions& options) {
  const std::string name = printable(options.out.string());
  const auto found = std::filesystem::symlink_status(options.out);
  check(found.type() != std::filesystem::file_type::directory, ExitCode::kCannotCreate,
        "[{}] expected the name of a file, got a directory", name);
  check(options.overwrite || !std::filesystem::exists(found), ExitCode::kCannotCreate,
        "[{}] is there already: choose another --out, or --overwrite", name);
}

void check_input(const ArrayView& x, const Sequential& model, const std::string& label) {
  const bool fits = x.row_shape == model.input_shape() ||
                    (x.row_shape.empty() && model.input_shape() == Shape{1});
  check(fits, ExitCode::kBadData,
        "[data] {}: expected rows of the network's input shape {}, got {}", label,
        to_string(model.input_shape()), to_string(x.row_shape));
}

/// The predictions' file, built in memory. Rank 0 only.
class PredictionFile {
 public:
  PredictionFile(std::int64_t rows, const Shape& row_shape) : writer_(hdf5::Writer::in_memory()) {
    Shape extents = {rows};
    extents.insert(extents.end(), row_shape.begin(), row_shape.end());
    writer_.create_dataset(kDataset, ElementType::kFloat32, extents);
  }
  void add(std::int64_t first_row, ConstMatrix rows) {
    writer_.write_rows(kDataset, ElementType::kFloat32, first_row, rows.rows,
                       std::as_bytes(rows.flat()));
  }
  void save(const std::filesystem::path& path) { write_atomically(path, writer_.take_image()); }

 private:
  hdf5::Writer writer_;
};

}  // namespace

ExitCode run_predict(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    if (context.is_root()) print_now(kHelp);
    return ExitCode::kDone;
  }
  const Communicator& world = *context.world;
  PredictOptions options;
  std::optional<LoadedModel> loaded;
  together(world, [&] { options = parse(context.arguments); });
  on_root(world, [&] { check_output(options); });
  together(world, [&] {
    const DatasetFile rows(options.x.file, options.x.dataset, options.trust);
    const auto leave_uncompiled = [](Sequential&, const std::string&) {};
    loaded.emplace(load_network(options.model, rows.row_shape(), leave_uncompiled));
  });
  if (context.is_root()) print_notes(options.model, loaded->remarks);
  Sequential* model = &loaded->model;
  model->set_numerics(choose_numerics(world, options.numerics));
  set_threads(static_cast<int>(options.threads));
  set_blas_threads(static_cast<int>(options.threads));

  const Communicator host = world.on_this_host();
  const ResidentArray x(world, host, options.x.file, options.x.dataset, options.trust);
  together(world, [&] { check_input(x.view(), *model, x.label()); });
  std::optional<PredictionFile> file;
  on_root(world, [&] { file.emplace(x.view().rows, model->output_shape()); });
  predict(*model, world, x.view(), std::min(options.batch_size, x.view().rows),
          [&](std::int64_t first, ConstMatrix rows) { file->add(first, rows); });
  on_root(world, [&] {
    file->save(options.out);
    print_now(
        fmt::format("{} predictions in {}\n", x.view().rows, printable(options.out.string())));
  });
  return ExitCode::kDone;
}

}  // namespace lockstep
