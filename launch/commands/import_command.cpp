#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "io/table/import_windows.hpp"
#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/output_place.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/import_arrays.hpp"
#include "launch/commands/import_report.hpp"
#include "launch/commands/import_sources.hpp"
#include "launch/commands/import_table_options.hpp"
#include "launch/commands/import_text_options.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp = R"(Usage: lockstep import SOURCE ... --out FILE.h5 [--overwrite]

Writes a dataset file for lockstep train: HDF5 with x_train, y_train and, if there is a
test set, x_test, y_test. The first axis counts samples; types stay as they are in the source.

Sources:
  idx DIRECTORY            MNIST's four files (train-images-idx3-ubyte.gz, ...), gzipped or plain
  idx --x-train FILE ...   IDX files of any name
  npy --x-train FILE ...   NumPy arrays (.npy, 1.0 to 3.0)
  npz FILE.npz             the arrays of a NumPy archive, compressed or not
  hdf5 FILE.h5             HDF5 of any other form: records, data frames, packed numbers, strings
  csv --train FILE ...     a table of numbers, words and dates; one column holds the label
  text FILE ...            texts with labels, or running text, as sequences of token numbers
  synthetic                labelled 28 x 28 glyphs of digits, drawn on the spot; or sentences, or
                           a time series

Options of idx and npy:
  --x-train FILE  --y-train FILE  --x-test FILE  --y-test FILE

Options of npz and hdf5:
  --x-train NAME  --y-train NAME  --x-test NAME  --y-test NAME
                           names in the file [default: these; npz also x, y, arr_0, arr_1, ...];
                           hdf5 as in lockstep train: PATH, PATH.field, PATH.[a,b], PATH.T
Options of hdf5:
  --missing WHAT           error, drop (leave such rows out), or mean (of the column): for values
                           that are missing by _FillValue and the like, or NaN [default: error]
  --transpose              reverse the axes, as MATLAB and Fortran show them
  --trust-data             follow links that lead to other files, load plugins of filters

)";

constexpr const char* kHelpEnd = R"(Options of synthetic:
  --kind glyphs            images uint8 (28, 28) of classes 0 to 9 (default)
  --kind sentences         words, as import text makes of a table: praise or blame with "not",
                           "never", "but" and "although", of classes neg and pos
  --kind series            hourly numbers with a trend, a day's and a week's season, and noise, as
                           import csv --window makes of a table:
    --window N --horizon H --step S    (default 48, 12, 1)
  --rows N                 rows to train on (default 60000)
  --test-rows M            and to test (default 10000)
  --seed S                 all are a function of it (default 0)

Options of all:
  --out FILE.h5            the file to write
  --overwrite              replace it if it is there

Examples:
  lockstep import idx /usr/share/datasets/fashion-mnist --out fashion_mnist.h5
  lockstep import csv --train iris.csv --label species --test-split 0.2 --out iris.h5
  lockstep import csv --train passengers.csv --label Survived --id PassengerId --drop Name,Ticket \
    --missing mean --test-split 0.2 --out passengers.h5
  lockstep import text reviews.csv --label stars --vocabulary-size 10000 --length 100 \
    --test-split 0.2 --out reviews.h5
  lockstep import text book.txt --next --length 128 --test-split-last 0.1 --out book.h5
  lockstep import npy --x-train x.npy --y-train y.npy --out mine.h5
  lockstep import npz mnist.npz --out mnist.h5
  lockstep import hdf5 era5.nc --x-train t2m --y-train rain --missing drop --out era5.h5
  lockstep import synthetic --rows 60000 --test-rows 10000 --out glyphs.h5
  lockstep import synthetic --kind series --rows 20000 --test-rows 4000 --out series.h5
)";

/// What to read, out of the command line.
struct ImportPlan {
  std::string source;
  fs::path out;
  bool overwrite = false;
  ArrayFiles files;
  ArrayNames names;
  Missing missing = Missing::kError;
  bool transpose = false;
  bool trust = false;
  TableSource table;
  TextImport text;
  std::string kind;  ///< of synthetic rows
  WindowRule windows;
  std::int64_t rows = 0;
  std::int64_t test_rows = 0;
  std::uint64_t seed = 0;
};

void add_options_of(const std::string& source, po::options_description& options) {
  auto add = options.add_options();
  add("out", po::value<std::string>())("overwrite", po::bool_switch());
  if (source == "idx") add("directory", po::value<std::string>());
  if (source == "npz" || source == "hdf5") add("file", po::value<std::string>());
  if (source == "hdf5")
    add("missing", po::value<std::string>())("transpose", po::bool_switch())("trust-data",
                                                                             po::bool_switch());
  if (source == "idx" || source == "npy" || source == "npz" || source == "hdf5") {
    for (const char* name : {"x-train", "y-train", "x-test", "y-test"})
      add(name, po::value<std::string>());
  } else if (source == "csv") {
    add_table_options(options);
  } else if (source == "text") {
    add_text_options(options);
  } else {
    for (const char* name : {"rows", "test-rows", "window", "horizon", "step"})
      add(name, po::value<std::int64_t>());
    add("kind", po::value<std::string>());
    add("seed", po::value<std::uint64_t>());
  }
}

template <class T>
T value_or(const po::variables_map& given, const char* name, T otherwise) {
  return given.count(name) == 0 ? otherwise : given[name].as<T>();
}

fs::path path_of(const po::variables_map& given, const char* name) {
  return value_or<std::string>(given, name, "");
}

ArrayFiles array_files(const po::variables_map& given) {
  ArrayFiles files{path_of(given, "x-train"), path_of(given, "y-train"), path_of(given, "x-test"),
                   path_of(given, "y-test")};
  check(!files.x_train.empty() || !files.x_test.empty(), ExitCode::kUsage,
        "[import] expected --x-train FILE (see lockstep import --help), got none");
  check(files.y_train.empty() || !files.x_train.empty(), ExitCode::kUsage,
        "[import] expected --x-train beside --y-train, got none");
  check(files.y_test.empty() || !files.x_test.empty(), ExitCode::kUsage,
        "[import] expected --x-test beside --y-test, got none");
  return files;
}

/// The file and the names of its arrays, for npz and hdf5.
void read_names(const po::variables_map& given, ImportPlan& plan) {
  plan.names = {path_of(given, "file"), value_or<std::string>(given, "x-train", ""),
                value_or<std::string>(given, "y-train", ""),
                value_or<std::string>(given, "x-test", ""),
                value_or<std::string>(given, "y-test", "")};
  check(!plan.names.file.empty(), ExitCode::kUsage,
        "[import] expected a file (lockstep import {} FILE --out FILE.h5), got none", plan.source);
  if (plan.source == "npz") return;
  plan.transpose = given["transpose"].as<bool>();
  plan.trust = given["trust-data"].as<bool>();
  const std::string missing = value_or<std::string>(given, "missing", "error");
  check(missing == "error" || missing == "drop" || missing == "mean", ExitCode::kUsage,
        "[import] --missing: expected error, drop or mean, got '{}'", printable(missing));
  plan.missing = missing == "drop"   ? Missing::kDrop
                 : missing == "mean" ? Missing::kMean
                                     : Missing::kError;
}

std::string kind_of(const po::variables_map& given) {
  std::string kind = value_or<std::string>(given, "kind", "glyphs");
  check(kind == "glyphs" || kind == "sentences" || kind == "series", ExitCode::kUsage,
        "[import] --kind: expected glyphs, sentences or series, got '{}'", printable(kind));
  for (const char* name : {"window", "horizon", "step"})
    check(given.count(name) == 0 || kind == "series", ExitCode::kUsage,
          "[import] --{}: expected it only with --kind series", name);
  return kind;
}

std::int64_t checked_or(const po::variables_map& given, const char* name, std::int64_t otherwise) {
  return given.count(name) == 0 ? otherwise : checked_count(given, name, 1'000'000'000);
}

ImportPlan plan_of(const std::vector<std::string>& arguments) {
  static constexpr auto kSources =
      std::to_array<const char*>({"idx", "csv", "text", "npy", "npz", "hdf5", "synthetic"});
  check(!arguments.empty(), ExitCode::kUsage,
        "[import] expected idx, csv, text, npy, npz, hdf5 or synthetic (see lockstep import "
        "--help), got "
        "nothing");
  ImportPlan plan;
  plan.source = arguments.front();
  check(std::find(kSources.begin(), kSources.end(), plan.source) != kSources.end(),
        ExitCode::kUsage,
        "[import] expected idx, csv, text, npy, npz, hdf5 or synthetic first, got '{}'",
        printable(plan.source));

  po::options_description options;
  add_options_of(plan.source, options);
  po::positional_options_description positional;
  if (plan.source == "idx") positional.add("directory", 1);
  if (plan.source == "npz" || plan.source == "hdf5") positional.add("file", 1);
  if (plan.source == "text") positional.add("file", -1);
  const po::variables_map given =
      parse_arguments({arguments.begin() + 1, arguments.end()}, options, positional);

  plan.out = path_of(given, "out");
  check(!plan.out.empty(), ExitCode::kUsage, "[import] expected --out FILE.h5, got none");
  plan.overwrite = given["overwrite"].as<bool>();
  const fs::path directory = plan.source == "idx" ? path_of(given, "directory") : fs::path();
  if (plan.source == "npz" || plan.source == "hdf5") {
    read_names(given, plan);
  } else if (plan.source == "csv") {
    plan.table = table_source(given);
  } else if (plan.source == "text") {
    plan.text = text_import(given);
  } else if (plan.source == "synthetic") {
    plan.kind = kind_of(given);
    plan.windows = {checked_or(given, "window", 48), checked_or(given, "horizon", 12),
                    checked_or(given, "step", 1), ""};
    plan.rows = value_or<std::int64_t>(given, "rows", 60'000);
    plan.test_rows = value_or<std::int64_t>(given, "test-rows", 10'000);
    plan.seed = value_or<std::uint64_t>(given, "seed", 0);
    check(plan.rows > 0 && plan.test_rows >= 0, ExitCode::kUsage,
          "[import] expected --rows of at least 1 and --test-rows of at least 0, got {} and {}",
          plan.rows, plan.test_rows);
  } else if (directory.empty()) {
    plan.files = array_files(given);
  } else {
    for (const char* name : {"x-train", "y-train", "x-test", "y-test"}) {
      check(given.count(name) == 0, ExitCode::kUsage,
            "[import] expected a directory or --{}, got both", name);
    }
    plan.files = mnist_files(directory);
  }
  return plan;
}

/// Before the work, not after it.
void check_output(const ImportPlan& plan) {
  // Who reads p.csv must not find HDF5 in it.
  constexpr auto kOthers = std::to_array<std::string_view>(
      {".csv", ".gz", ".json", ".keras", ".npy", ".npz", ".tsv", ".txt", ".zip"});
  const std::string ending = plan.out.extension().string();
  check(std::ranges::find(kOthers, ending) == kOthers.end(), ExitCode::kUsage,
        "[{}] expected a name that ends in .h5 or .hdf5 for --out, since a dataset file is HDF5, "
        "got '{}'",
        printable(plan.out.string()), ending);
  const ArrayFiles& files = plan.files;
  std::vector<InputFile> inputs = {
      {"FILE", plan.names.file},   {"--x-train", files.x_train},      {"--y-train", files.y_train},
      {"--x-test", files.x_test},  {"--y-test", files.y_test},        {"--train", plan.table.train},
      {"--test", plan.table.test}, {"--test", plan.text.options.test}};
  for (const fs::path& file : plan.text.options.files) inputs.push_back({"FILE", file});
  check_output_file(plan.out, plan.overwrite, inputs);
}

NamedArrays read_table(const TableSource& source) {
  ImportedTable table =
      import_table(source.train, source.test, source.options, source.split, source.unknown);
  for (const std::string& warning : table.warnings) print_error("warning: " + warning);
  return {std::move(table.arrays), table.mapping.classes(), std::move(table.report)};
}

NamedArrays named(ImportedText text) {
  return {std::move(text.arrays), text.mapping.table.classes(), std::move(text.report)};
}

NamedArrays read_texts(const TextImport& source) {
  ImportedText text = import_text(source.options, source.split);
  for (const std::string& warning : text.warnings) print_error("warning: " + warning);
  return named(std::move(text));
}

DatasetArrays synthetic_images(const ImportPlan& plan) {
  DatasetArrays arrays;
  Glyphs train = synthetic_glyphs(plan.rows, plan.seed);
  arrays.x_train = std::move(train.x);
  arrays.y_train = std::move(train.y);
  if (plan.test_rows == 0) return arrays;
  Glyphs test = synthetic_glyphs(plan.test_rows, plan.seed, plan.rows);
  arrays.x_test = std::move(test.x);
  arrays.y_test = std::move(test.y);
  return arrays;
}

NamedArrays synthetic(const ImportPlan& plan) {
  if (plan.kind == "sentences")
    return named(import_sentences(plan.rows, plan.test_rows, plan.seed));
  if (plan.kind == "glyphs") return {synthetic_images(plan), {}, {}};
  ImportedTable series = import_series(plan.rows, plan.test_rows, plan.seed, plan.windows);
  return {std::move(series.arrays), {}, std::move(series.report)};
}

NamedArrays read_source(const ImportPlan& plan) {
  if (plan.source == "csv") return read_table(plan.table);
  if (plan.source == "text") return read_texts(plan.text);
  if (plan.source == "npz") return read_npz_source(plan.names);
  if (plan.source == "hdf5")
    return read_hdf5_source(plan.names, plan.trust, plan.transpose, plan.missing);
  if (plan.source == "npy") return {read_array_files(plan.files, read_npy), {}, {}};
  if (plan.source == "idx") return {read_array_files(plan.files, read_idx), {}, {}};
  return synthetic(plan);
}

}  // namespace

ExitCode run_import(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(fmt::format("{}{}{}{}", kHelp, kTableHelp, kTextHelp, kHelpEnd));
    return ExitCode::kDone;
  }
  const ImportPlan plan = plan_of(context.arguments);
  check_output(plan);
  const NamedArrays dataset = read_source(plan);
  write_dataset_file(plan.out, dataset.arrays);
  print_now(import_report(plan.out, dataset));
  return ExitCode::kDone;
}

}  // namespace lockstep
