#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/import_sources.hpp"
#include "launch/commands/import_table_options.hpp"
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
  csv --train FILE ...     a table of numbers, words and dates; one column holds the label
  synthetic                labelled 28 x 28 glyphs of digits, drawn on the spot

Options of idx and npy:
  --x-train FILE  --y-train FILE  --x-test FILE  --y-test FILE

)";

constexpr const char* kHelpEnd = R"(Options of synthetic:
  --rows N                 training images (default 60000)
  --test-rows M            test images (default 10000)
  --seed S                 the images are a function of it (default 0)

Options of all:
  --out FILE.h5            the file to write
  --overwrite              replace it if it is there

Examples:
  lockstep import idx /usr/share/datasets/fashion-mnist --out fashion_mnist.h5
  lockstep import csv --train iris.csv --label species --test-split 0.2 --out iris.h5
  lockstep import csv --train passengers.csv --label Survived --id PassengerId --drop Name,Ticket \
    --missing mean --test-split 0.2 --out passengers.h5
  lockstep import npy --x-train x.npy --y-train y.npy --out mine.h5
  lockstep import synthetic --rows 60000 --test-rows 10000 --out glyphs.h5
)";

/// What to read, out of the command line.
struct ImportPlan {
  std::string source;
  fs::path out;
  bool overwrite = false;
  ArrayFiles files;
  fs::path directory;
  TableSource table;
  std::int64_t rows = 0;
  std::int64_t test_rows = 0;
  std::uint64_t seed = 0;
};

void add_options_of(const std::string& source, po::options_description& options) {
  auto add = options.add_options();
  add("out", po::value<std::string>())("overwrite", po::bool_switch());
  if (source == "idx") add("directory", po::value<std::string>());
  if (source == "idx" || source == "npy") {
    for (const char* name : {"x-train", "y-train", "x-test", "y-test"})
      add(name, po::value<std::string>());
  } else if (source == "csv") {
    add_table_options(options);
  } else {
    add("rows", po::value<std::int64_t>())("test-rows", po::value<std::int64_t>());
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

ImportPlan plan_of(const std::vector<std::string>& arguments) {
  static constexpr auto kSources = std::to_array<const char*>({"idx", "csv", "npy", "synthetic"});
  check(!arguments.empty(), ExitCode::kUsage,
        "[import] expected idx, csv, npy or synthetic (see lockstep import --help), got nothing");
  ImportPlan plan;
  plan.source = arguments.front();
  check(std::find(kSources.begin(), kSources.end(), plan.source) != kSources.end(),
        ExitCode::kUsage, "[import] expected idx, csv, npy or synthetic first, got '{}'",
        printable(plan.source));

  po::options_description options;
  add_options_of(plan.source, options);
  po::positional_options_description positional;
  if (plan.source == "idx") positional.add("directory", 1);
  const po::variables_map given =
      parse_arguments({arguments.begin() + 1, arguments.end()}, options, positional);

  plan.out = path_of(given, "out");
  check(!plan.out.empty(), ExitCode::kUsage, "[import] expected --out FILE.h5, got none");
  plan.overwrite = given["overwrite"].as<bool>();
  if (plan.source == "idx") plan.directory = path_of(given, "directory");
  if (plan.source == "csv") {
    plan.table = table_source(given);
  } else if (plan.source == "synthetic") {
    plan.rows = value_or<std::int64_t>(given, "rows", 60'000);
    plan.test_rows = value_or<std::int64_t>(given, "test-rows", 10'000);
    plan.seed = value_or<std::uint64_t>(given, "seed", 0);
    check(plan.rows > 0 && plan.test_rows >= 0, ExitCode::kUsage,
          "[import] expected --rows of at least 1 and --test-rows of at least 0, got {} and {}",
          plan.rows, plan.test_rows);
  } else if (plan.directory.empty()) {
    plan.files = array_files(given);
  } else {
    for (const char* name : {"x-train", "y-train", "x-test", "y-test"}) {
      check(given.count(name) == 0, ExitCode::kUsage,
            "[import] expected a directory or --{}, got both", name);
    }
  }
  return plan;
}

/// Before the work, not after it.
void check_output(const ImportPlan& plan) {
  std::error_code ignored;
  check(plan.overwrite || !fs::exists(fs::symlink_status(plan.out, ignored)),
        ExitCode::kCannotCreate,
        "[import] {}: expected a new file, got one that exists (--overwrite replaces it)",
        plan.out.string());
  check(!fs::is_directory(plan.out, ignored), ExitCode::kCannotCreate,
        "[import] {}: expected a file name, got a directory", plan.out.string());
  const fs::path parent = plan.out.has_parent_path() ? plan.out.parent_path() : fs::path(".");
  check(fs::is_directory(parent, ignored), ExitCode::kCannotCreate,
        "[import] {}: expected the directory {} to exist, got none", plan.out.string(),
        parent.string());
}

DatasetArrays read_table(const TableSource& source, std::vector<std::string>& classes) {
  ImportedTable table =
      import_table(source.train, source.test, source.options, source.split, source.unknown);
  for (const std::string& line : table.report) fmt::print("{}\n", line);
  for (const std::string& warning : table.warnings) print_error("warning: " + warning);
  classes = table.mapping.classes();
  return std::move(table.arrays);
}

DatasetArrays read_source(const ImportPlan& plan) {
  DatasetArrays arrays;
  if (plan.source == "npy") return read_array_files(plan.files, read_npy);
  if (plan.source == "idx")
    return read_array_files(plan.directory.empty() ? plan.files : mnist_files(plan.directory),
                            read_idx);
  Glyphs train = synthetic_glyphs(plan.rows, plan.seed);
  arrays.x_train = std::move(train.x);
  arrays.y_train = std::move(train.y);
  if (plan.test_rows == 0) return arrays;
  Glyphs test = synthetic_glyphs(plan.test_rows, plan.seed, plan.rows);
  arrays.x_test = std::move(test.x);
  arrays.y_test = std::move(test.y);
  return arrays;
}

void print_result(const fs::path& out, const DatasetArrays& arrays,
                  const std::vector<std::string>& classes) {
  fmt::print("{}\n", out.string());
  const auto print = [](const char* name, const std::optional<Array>& array) {
    if (!array) return;
    Shape extents = array->row_shape;
    extents.insert(extents.begin(), array->rows);
    fmt::print("  {:<8} {:<18} {:<8} {:.1f} MB\n", name, to_string(extents), to_string(array->type),
               static_cast<double>(array->bytes.size()) / 1e6);
  };
  print("x_train", arrays.x_train);
  print("y_train", arrays.y_train);
  print("x_val", arrays.x_val);
  print("y_val", arrays.y_val);
  print("x_test", arrays.x_test);
  print("y_test", arrays.y_test);
  constexpr std::size_t kMostClasses = 100;
  const std::size_t shown = std::min(classes.size(), kMostClasses);
  for (std::size_t i = 0; i < shown; ++i)
    fmt::print("  class {:<3} {}\n", i, printable(classes[i]));
  if (shown < classes.size()) fmt::print("  ... {} classes more\n", classes.size() - shown);
}

}  // namespace

ExitCode run_import(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    fmt::print("{}{}{}", kHelp, kTableHelp, kHelpEnd);
    return ExitCode::kDone;
  }
  const ImportPlan plan = plan_of(context.arguments);
  check_output(plan);
  std::vector<std::string> classes;
  const DatasetArrays arrays =
      plan.source == "csv" ? read_table(plan.table, classes) : read_source(plan);
  write_dataset_file(plan.out, arrays);
  print_result(plan.out, arrays, classes);
  return ExitCode::kDone;
}

}  // namespace lockstep
