#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/finite_check.hpp"
#include "distributed/training/trainer.hpp"
#include "io/keras/keras_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/data_source.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/cli/numerics_choice.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/train/progress.hpp"
#include "launch/train/train_compile.hpp"
#include "src/core/json_text.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp = R"help(Usage: lockstep evaluate MODEL --data FILE.h5 [options]

Prints loss and metrics of a saved network (.h5 of Lockstep or Keras, .keras) on x_test
and y_test.

Options:
  --data FILE.h5           HDF5 file with the datasets
  --model FILE.json        instead of MODEL: the network as Keras's model.to_json() writes it
  --layers TEXT            or in Keras's words: "Flatten(), Dense(64, relu), Dense(10, softmax)"
  --weights FILE           its weights, as Keras's save_weights() writes them
  --x-test DATASET         inputs; a path in --data, or FILE.h5:/path (default x_test)
  --y-test DATASET         targets (default y_test)
  --sample-weight DATASET  how much the loss of each row counts, or of each position; metrics do not
                           see it
  --batch-size N           rows at a time (default 32, or what stateful layers were
                           made for)
  --loss NAME              instead of the loss that the network was compiled with
  --metrics NAMES          instead of its metrics; with commas
  --trust-data             follow links that lead to other files, load plugins of filters
  --transpose              reverse the axes of these, as MATLAB and Fortran show them
  --numerics exact|fast    exact: the same bits on any number of ranks and any CPU with FMA, which
                           is the default where all have it; fast: as the BLAS adds up
  --threads N              threads of each rank for its matrix products (default 1)
  --json                   full precision, for programs
)help";

struct EvaluateOptions {
  ModelSource model;
  DatasetPlace place;
  std::optional<std::int64_t> batch_size;
  std::int64_t threads = 1;
  std::optional<Numerics> numerics;
  bool trust = false;
  bool json = false;
  std::optional<std::string> loss;
  std::optional<std::string> metrics;
};

EvaluateOptions parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  add_model_source(known);
  known.add_options()("data", po::value<std::string>(), "")(
      "x-test", po::value<std::string>()->default_value("x_test"), "")(
      "y-test", po::value<std::string>()->default_value("y_test"), "")(
      "sample-weight", po::value<std::string>(), "")("batch-size", po::value<std::int64_t>(), "")(
      "loss", po::value<std::string>(), "")("metrics", po::value<std::string>(), "")(
      "trust-data", "")("transpose", "")("numerics", po::value<std::string>(), "")(
      "threads", po::value<std::int64_t>()->default_value(1), "")("json", "");
  po::positional_options_description positional;
  positional.add("model-file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("data"), ExitCode::kUsage, "[options] expected --data FILE.h5, got none");

  EvaluateOptions options;
  options.model = model_source_from(given);
  const std::string data = given["data"].as<std::string>();
  const bool transpose = given.contains("transpose");
  options.place = {array_place(data, given["x-test"].as<std::string>(), transpose),
                   array_place(data, given["y-test"].as<std::string>(), transpose)};
  if (given.contains("sample-weight"))
    options.place.weights = array_place(data, given["sample-weight"].as<std::string>(), transpose);
  if (given.contains("batch-size"))
    options.batch_size = checked_count(given, "batch-size", 1'000'000'000);
  if (given.contains("numerics"))
    options.numerics = numerics_from_text(given["numerics"].as<std::string>());
  options.threads = checked_count(given, "threads", 1024);
  options.trust = given.contains("trust-data");
  options.json = given.contains("json");
  if (given.contains("loss")) options.loss = given["loss"].as<std::string>();
  if (given.contains("metrics")) options.metrics = given["metrics"].as<std::string>();
  return options;
}

/// By the file's training config and the options, which replace parts of it.
LoadedModel load(const EvaluateOptions& options) {
  const DatasetFile x(options.place.x.file, options.place.x.dataset, options.trust);
  TrainSettings settings;
  settings.loss = options.loss;
  settings.metrics = options.metrics;
  const auto compile = [&](Network& model, const std::string& training_config) {
    nlohmann::ordered_json saved;
    if (!training_config.empty())
      saved = parse_json(training_config, "the attribute training_config");
    check(!saved.is_null() || options.loss, ExitCode::kUsage,
          "[options] expected --loss for {}, which was saved without one, got none",
          printable(options.model.name()));
    compile_by(settings, saved, model, CompileFor::kEvaluation);
  };
  return load_network(options.model, x.row_shape(), compile);
}

std::string to_text(const Evaluation& evaluation, bool json) {
  if (!json) {
    std::string text = "loss: " + keras_number(evaluation.loss);
    for (const auto& [name, value] : evaluation.metrics) {
      text += fmt::format(" - {}: {}", name, keras_number(value));
    }
    return fmt::format("{} - {} rows", text, evaluation.rows);
  }
  nlohmann::ordered_json object = {{"loss", evaluation.loss}};
  for (const auto& [name, value] : evaluation.metrics) object[name] = value;
  object["rows"] = evaluation.rows;
  return object.dump();
}

/// The same on every rank.
void check_evaluation(const Evaluation& evaluation, const Network& model,
                      const EvaluateOptions& options) {
  const std::string weights = describe_not_finite(model);
  check_collectively(weights.empty(), ExitCode::kNumerical,
                     "[{}] expected finite weights, but {}: what it computes means nothing; train "
                     "again with a smaller learning rate, or take an earlier checkpoint",
                     printable(options.model.name()), weights);
  const std::string result = describe_not_finite(evaluation);
  check_collectively(result.empty(), ExitCode::kNumerical,
                     "[{}] expected finite results of {}, but {}: look for extreme values in the "
                     "rows, which the weights (all finite) were not trained for",
                     printable(options.model.name()), printable(options.place.x.dataset), result);
}

}  // namespace

ExitCode run_evaluate(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    if (context.is_root()) print_now(kHelp);
    return ExitCode::kDone;
  }
  const Communicator& world = *context.world;
  EvaluateOptions options;
  std::optional<LoadedModel> loaded;
  together(world, [&] {
    options = parse(context.arguments);
    loaded.emplace(load(options));
  });
  if (context.is_root()) print_notes(options.model, loaded->remarks);
  Network* model = &loaded->model;
  model->set_numerics(choose_numerics(world, options.numerics));
  set_threads(static_cast<int>(options.threads));
  set_blas_threads(static_cast<int>(options.threads));
  const Communicator host = world.on_this_host();
  ResidentDataset data(world, host, options.place, options.trust);
  data.use_classes(world, loaded->classes, *model, options.model.name());
  data.check_for(world, *model);
  if (context.is_root() && !data.classes().empty() && loaded->classes.empty())
    print_error(fmt::format(
        "note: {} does not name its classes: those of {} are numbered in alphabetical order, "
        "whether or not they are the same",
        printable(options.model.name()), printable(options.place.y.dataset)));
  for (const std::string& note : data.notes())
    if (context.is_root() && !options.json) print_now(note + "\n");
  // The rows are compared already, where they are read.
  Trainer trainer(*model, Communicator(world.get()),
                  {.batch_size = batch_size_for(*model, options.batch_size), .verify_data = false});
  const Evaluation evaluation = trainer.evaluate(data.rows());
  if (context.is_root()) print_now(to_text(evaluation, options.json) + "\n");
  check_evaluation(evaluation, *model, options);
  return ExitCode::kDone;
}

}  // namespace lockstep
