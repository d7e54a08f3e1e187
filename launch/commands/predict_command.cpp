#include <algorithm>
#include <filesystem>
#include <optional>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/evaluator.hpp"
#include "distributed/training/finite_check.hpp"
#include "io/data/prediction_file.hpp"
#include "io/files/atomic_file.hpp"
#include "io/keras/keras_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/data_source.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/cli/numerics_choice.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/import_table_options.hpp"
#include "launch/commands/table_input.hpp"
#include "launch/commands/table_predictions.hpp"
#include "launch/train/train_compile.hpp"
#include "src/core/json_text.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp =
    R"help(Usage: lockstep predict MODEL --data FILE.h5 --out PREDICTIONS.csv [options]
       lockstep predict MODEL --table FILE.csv --out PREDICTIONS.csv [options]
       lockstep predict MODEL --data TEXTS.txt --out PREDICTIONS.csv [options]

Writes the output of a saved network (.h5 of Lockstep or Keras, .keras) for every row of
x_test, in order, as float32.

Options:
  --data FILE.h5           HDF5 file with the inputs; a FILE.csv, .tsv or .txt (or .gz of these) is
                           taken as by --table
  --table FILE.csv         or: a table with the columns of the one that the network was trained on
                           (lockstep import csv), in any order, with or without the label. With
                           --out FILE.csv: names of rows and classes, and each class's probability.
                           For a network trained on texts (lockstep import text): the table with
                           their column, or FILE.txt with a text on each line
  --unknown refuse|zero    words in --table that the training table lacks: refuse (default), or none
                           of the words known
  --separator comma|semicolon|tab|bar|blanks    of --table (default: found out)
  --decimal point|comma    of --table (default: as in the training table, or found out)
  --model FILE.json        instead of MODEL: the network as Keras's model.to_json() writes it
  --layers TEXT            or in Keras's words: "Flatten(), Dense(64, relu), Dense(10, softmax)"
  --weights FILE           its weights, as Keras's save_weights() writes them
  --x DATASET              inputs; a path in --data, or FILE.h5:/path (default x_test)
  --out FILE               the file to write, by its name's ending:
                             .csv .tsv   a table with a header; a number has the fewest digits from
                                         which the same float32 is read
                             .npy        an array of NumPy
                             .h5 .hdf5   HDF5 with dataset `predictions`
  --overwrite              replace it if it is there
  --batch-size N           rows at a time (default 32, or what stateful layers were
                           made for)
  --trust-data             follow links that lead to other files, load plugins of filters
  --transpose              reverse the axes of the inputs, as MATLAB and Fortran show them
  --numerics exact|fast    exact: the same bits on any number of ranks and any CPU with FMA, which
                           is the default where all have it; fast: as the BLAS adds up
  --threads N              threads of each rank for its matrix products (default 1)
)help";

struct PredictOptions {
  ModelSource model;
  ArrayPlace x;
  std::filesystem::path data;
  std::filesystem::path table;  ///< instead of data
  TableFormat table_format;     ///< what the user says of it
  Unknown unknown = Unknown::kRefuse;
  std::filesystem::path out;
  bool overwrite = false;
  bool trust = false;
  std::optional<std::int64_t> batch_size;
  std::int64_t threads = 1;
  std::optional<Numerics> numerics;
};

/// By the name's ending: a table, or lines of text.
bool is_text_file(const std::filesystem::path& path) {
  const std::string ending = (path.extension() == ".gz" ? path.stem() : path).extension().string();
  return ending == ".csv" || ending == ".tsv" || ending == ".txt";
}

PredictOptions parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  add_model_source(known);
  known.add_options()("table", po::value<std::string>(), "")(
      "unknown", po::value<std::string>()->default_value("refuse"), "")(
      "separator", po::value<std::string>(), "")("decimal", po::value<std::string>(), "");
  known.add_options()("data", po::value<std::string>(), "")(
      "x", po::value<std::string>()->default_value("x_test"), "")(
      "out", po::value<std::string>(), "")("overwrite", "")("batch-size", po::value<std::int64_t>(),
                                                            "")("trust-data", "")("transpose", "")(
      "numerics", po::value<std::string>(), "")("threads",
                                                po::value<std::int64_t>()->default_value(1), "");
  po::positional_options_description positional;
  positional.add("model-file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("data") != given.contains("table"), ExitCode::kUsage,
        "[options] expected --data FILE.h5 or --table FILE.csv, got {}",
        given.contains("data") ? "both" : "none");
  const bool is_table = given.contains("table") || is_text_file(given["data"].as<std::string>());
  check(given.contains("out"), ExitCode::kUsage,
        "[options] expected --out FILE.csv (or .tsv, .npy, .h5), got none");

  PredictOptions options;
  options.model = model_source_from(given);
  if (is_table) {
    options.table = given[given.contains("table") ? "table" : "data"].as<std::string>();
  } else {
    options.data = given["data"].as<std::string>();
    options.x = array_place(given["data"].as<std::string>(), given["x"].as<std::string>(),
                            given.contains("transpose"));
  }
  check(options.table.empty() || !options.model.file.empty(), ExitCode::kUsage,
        "[options] expected MODEL.h5 with --table, since the file of a trained network knows how "
        "columns become inputs, got {}",
        options.model.name());
  for (const char* name : {"separator", "decimal"})
    check(!given.contains(name) || is_table, ExitCode::kUsage,
          "[options] expected --{} beside --table FILE.csv, got it beside --data", name);
  if (given.contains("separator"))
    options.table_format.separator = separator_from_text(given["separator"].as<std::string>());
  if (given.contains("decimal"))
    options.table_format.decimal = decimal_from_text(given["decimal"].as<std::string>());
  options.unknown = unknown_from_text(given["unknown"].as<std::string>());
  options.out = given["out"].as<std::string>();
  options.overwrite = given.contains("overwrite");
  options.trust = given.contains("trust-data");
  if (given.contains("batch-size"))
    options.batch_size = checked_count(given, "batch-size", 1'000'000'000);
  if (given.contains("numerics"))
    options.numerics = numerics_from_text(given["numerics"].as<std::string>());
  options.threads = checked_count(given, "threads", 1024);
  return options;
}

OutputFormat check_output(const PredictOptions& options) {
  check_output_file(options.out, options.overwrite,
                    {{"MODEL", options.model.file},
                     {"--model", options.model.model},
                     {"--weights", options.model.weights},
                     {"--table", options.table},
                     {"--data", options.data},
                     {"--x", options.x.file}});
  return output_format(options.out);
}

void check_input(const ArrayView& x, const Network& model, const std::string& label) {
  const bool fits = x.row_shape == model.input_shape() ||
                    (x.row_shape.empty() && model.input_shape() == Shape{1});
  check(fits, ExitCode::kBadData,
        "[data] {}: expected rows of the network's input shape {}, got {}", label,
        to_string(model.input_shape()), to_string(x.row_shape));
}

/// The file was asked for, and is there; what it is worth must be said.
void warn_of_not_finite(const FinitePredictions& finite, const Network& model,
                        const std::string& name) {
  const std::string weights = describe_not_finite(model);
  const std::string rows = finite.describe();
  if (weights.empty() && rows.empty()) return;
  print_error(fmt::format(
      "warning: {}; {}", rows.empty() ? "the predictions are finite, but mean nothing" : rows,
      weights.empty() ? "the weights are finite: look for extreme values in the inputs"
                      : fmt::format("[{}] {}", printable(name), weights)));
}

/// The rows of --data or --table.
class Inputs {
 public:
  /// Collective; `host` must outlive it.
  Inputs(const Communicator& world, const Communicator& host, const PredictOptions& options,
         const std::string& table_mapping) {
    if (options.table.empty()) {
      array_.emplace(world, host, options.x.file, options.x.dataset, options.trust);
    } else {
      table_.emplace(world, options.table, options.table_format, table_mapping, options.model.file,
                     options.unknown);
    }
  }
  ArrayView view() const { return array_ ? array_->view() : table_->view(); }
  const std::string& label() const { return array_ ? array_->label() : table_->label(); }
  std::vector<std::string> notes() const {
    return array_ ? notes_of_inputs(*array_) : std::vector<std::string>();
  }
  const TableInput* table() const { return table_ ? &*table_ : nullptr; }

 private:
  std::optional<ResidentArray> array_;
  std::optional<TableInput> table_;
};

/// Where the predictions go. Rank 0 only.
class Outputs {
 public:
  Outputs(OutputFormat format, const Network& model, const Inputs& inputs) {
    const TableInput* table = inputs.table();
    if (table != nullptr && (format == OutputFormat::kCsv || format == OutputFormat::kTsv)) {
      table_.emplace(output_meaning(model, table->mapping()), table->id_name(), table->ids(),
                     format == OutputFormat::kCsv ? ',' : '\t');
      return;
    }
    TableLabels labels;
    if (table != nullptr) {
      labels.ids = table->ids();
      const OutputMeaning meaning = output_meaning(model, table->mapping());
      if (meaning.kind == OutputMeaning::Kind::kClasses) labels.classes = meaning.names;
    }
    file_.emplace(format, inputs.view().rows, model.output_shape(), std::move(labels));
  }
  void add(std::int64_t first_row, ConstMatrix rows) {
    if (table_) table_->add(first_row, rows);
    if (file_) file_->add(rows);
  }
  void save(const std::filesystem::path& path) {
    if (table_) write_atomically(path, table_->text());
    if (file_) file_->save(path);
  }

 private:
  std::optional<TablePredictions> table_;
  std::optional<PredictionFile> file_;
};

/// What an output means for a table's label may depend on the loss, where the file's is known.
void compile_if_known(Network& model, const std::string& training_config) {
  if (training_config.empty()) return;
  try {
    compile_by({}, parse_json(training_config, "the attribute training_config"), model,
               CompileFor::kEvaluation);
  } catch (const Error&) {
  }
}

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
  OutputFormat format = OutputFormat::kCsv;
  on_root(world, [&] { format = check_output(options); });
  together(world, [&] {
    if (!options.table.empty()) {
      loaded.emplace(load_network(options.model, {}, compile_if_known));
      return;
    }
    const DatasetFile rows(options.x.file, options.x.dataset, options.trust);
    const auto leave_uncompiled = [](Network&, const std::string&) {};
    loaded.emplace(load_network(options.model, rows.row_shape(), leave_uncompiled));
  });
  if (context.is_root()) print_notes(options.model, loaded->remarks);
  Network* model = &loaded->model;
  model->set_numerics(choose_numerics(world, options.numerics));
  set_threads(static_cast<int>(options.threads));
  set_blas_threads(static_cast<int>(options.threads));

  const Communicator host = world.on_this_host();
  const Inputs x(world, host, options, loaded->table_mapping);
  std::vector<std::string> notes;
  together(world, [&] {
    notes = x.notes();
    check_input(x.view(), *model, x.label());
  });
  for (const std::string& note : notes)
    if (context.is_root()) print_now(note + "\n");
  std::optional<Outputs> outputs;
  on_root(world, [&] { outputs.emplace(format, *model, x); });
  FinitePredictions finite;
  // A communicator of its own: what rank 0 meets while it fills the file, all ranks hear of.
  std::int64_t batch_size = batch_size_for(*model, options.batch_size);
  if (!model->is_stateful()) batch_size = std::min(batch_size, x.view().rows);
  if (model->is_stateful() && model->batch_size() == 0) model->set_batch_size(batch_size);
  predict(*model, Communicator(world.get()), x.view(), batch_size,
          [&](std::int64_t first, ConstMatrix rows) {
            finite.add(first, rows);
            outputs->add(first, rows);
          });
  on_root(world, [&] {
    outputs->save(options.out);
    if (x.table() != nullptr)
      for (const std::string& remark : x.table()->remarks()) print_error(remark);
    print_now(
        fmt::format("{} predictions in {}\n", x.view().rows, printable(options.out.string())));
  });
  if (context.is_root()) warn_of_not_finite(finite, *model, options.model.name());
  return ExitCode::kDone;
}

}  // namespace lockstep
