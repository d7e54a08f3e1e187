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
#include "launch/cli/numerics_choice.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/import_table_options.hpp"
#include "launch/commands/table_input.hpp"
#include "launch/commands/table_predictions.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp =
    R"(Usage: lockstep predict MODEL.h5 --data FILE.h5 --out PREDICTIONS.h5 [options]
       lockstep predict MODEL.h5 --table FILE.csv --out PREDICTIONS.csv [options]

Writes the output of a saved network (of Lockstep or Keras) for every row of x_test, in order, as
float32 dataset `predictions`.

Options:
  --data FILE.h5           HDF5 file with the inputs
  --table FILE.csv         or: a table with the columns of the one that the network was trained on
                           (lockstep import csv), in any order, with or without the label. With
                           --out FILE.csv: names of rows and classes, and each class's probability
  --unknown refuse|zero    words in --table that the training table lacks: refuse (default), or none
                           of the words known
  --x DATASET              inputs; a path in --data, or FILE.h5:/path (default x_test)
  --out PREDICTIONS.h5     the file to write
  --overwrite              replace it if it is there
  --batch-size N           rows at a time (default 32)
  --trust-data             follow links that lead to other files
  --numerics exact|fast    exact: the same bits on any number of ranks and any CPU with FMA, which
                           is the default where all have it; fast: as the BLAS adds up
  --threads N              threads of each rank for its matrix products (default 1)
)";
constexpr const char* kDataset = "predictions";

struct PredictOptions {
  std::string model;
  ArrayPlace x;
  std::filesystem::path table;  ///< instead of x
  Unknown unknown = Unknown::kRefuse;
  std::filesystem::path out;
  bool overwrite = false;
  bool trust = false;
  std::int64_t batch_size = 32;
  std::int64_t threads = 1;
  std::optional<Numerics> numerics;
};

PredictOptions parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  known.add_options()("table", po::value<std::string>(), "")(
      "unknown", po::value<std::string>()->default_value("refuse"), "");
  known.add_options()("model", po::value<std::string>(), "")("data", po::value<std::string>(), "")(
      "x", po::value<std::string>()->default_value("x_test"), "")("out", po::value<std::string>(),
                                                                  "")("overwrite", "")(
      "batch-size", po::value<std::int64_t>()->default_value(32), "")("trust-data", "")(
      "numerics", po::value<std::string>(), "")("threads",
                                                po::value<std::int64_t>()->default_value(1), "");
  po::positional_options_description positional;
  positional.add("model", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("model"), ExitCode::kUsage, "[options] expected MODEL.h5, got none");
  check(given.contains("data") != given.contains("table"), ExitCode::kUsage,
        "[options] expected --data FILE.h5 or --table FILE.csv, got {}",
        given.contains("data") ? "both" : "none");
  check(given.contains("out"), ExitCode::kUsage, "[options] expected --out FILE.h5, got none");

  PredictOptions options;
  options.model = given["model"].as<std::string>();
  if (given.contains("data"))
    options.x = array_place(given["data"].as<std::string>(), given["x"].as<std::string>());
  if (given.contains("table")) options.table = given["table"].as<std::string>();
  options.unknown = unknown_from_text(given["unknown"].as<std::string>());
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

/// The rows of --data or --table.
class Inputs {
 public:
  /// Collective; `host` must outlive it.
  Inputs(const Communicator& world, const Communicator& host, const PredictOptions& options,
         const std::string& table_mapping) {
    if (options.table.empty()) {
      array_.emplace(world, host, options.x.file, options.x.dataset, options.trust);
    } else {
      table_.emplace(world, options.table, table_mapping, options.model, options.unknown);
    }
  }
  ArrayView view() const { return array_ ? array_->view() : table_->view(); }
  const std::string& label() const { return array_ ? array_->label() : table_->label(); }
  const TableInput* table() const { return table_ ? &*table_ : nullptr; }

 private:
  std::optional<ResidentArray> array_;
  std::optional<TableInput> table_;
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
  together(world, [&] { loaded.emplace(load_model(options.model)); });
  Sequential& model = loaded->model;
  model.set_numerics(choose_numerics(world, options.numerics));
  set_threads(static_cast<int>(options.threads));
  set_blas_threads(static_cast<int>(options.threads));

  const Communicator host = world.on_this_host();
  const Inputs x(world, host, options, loaded->table_mapping);
  together(world, [&] { check_input(x.view(), model, x.label()); });
  const bool as_table = x.table() != nullptr && options.out.extension() == ".csv";
  std::optional<PredictionFile> file;
  std::optional<TablePredictions> table;
  on_root(world, [&] {
    if (as_table)
      table.emplace(output_meaning(model, x.table()->mapping()), x.table()->mapping().id,
                    x.table()->ids());
    else
      file.emplace(x.view().rows, model.output_shape());
  });
  predict(model, world, x.view(), std::min(options.batch_size, x.view().rows),
          [&](std::int64_t first, ConstMatrix rows) {
            if (table) table->add(first, rows);
            if (file) file->add(first, rows);
          });
  on_root(world, [&] {
    if (table) write_atomically(options.out, table->text());
    if (file) file->save(options.out);
    if (x.table() != nullptr)
      for (const std::string& remark : x.table()->remarks()) print_error(remark);
    print_now(
        fmt::format("{} predictions in {}\n", x.view().rows, printable(options.out.string())));
  });
  return ExitCode::kDone;
}

}  // namespace lockstep
