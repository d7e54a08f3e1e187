#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/data/dataset_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/train/network_source.hpp"
#include "launch/train/train_compile.hpp"
#include "src/graph/workspace.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/launch/error_expectation.hpp"

// The files that tests/reference/keras_files.py wrote with Keras 2.15 and 3.15 (and, by hand, as
// Keras 1 did), and the predictions that Keras makes from them.
namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::AnyOf;
using testing::HasSubstr;

const std::filesystem::path kFiles = LOCKSTEP_KERAS_FILES;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Entry {
  std::string name;
  Json json;
};

std::string placed(const std::string& word) {
  return std::filesystem::is_regular_file(kFiles / word) ? (kFiles / word).string() : word;
}

std::vector<Entry> entries() {
  std::vector<Entry> all;
  for (const std::string listing :
       {"keras1.expected.json", "keras122.expected.json", "keras208.expected.json",
        "keras224.expected.json", "keras2.json", "keras3.json"}) {
    std::ifstream file(kFiles / listing);
    const Json content = Json::parse(file);
    for (const auto& [shape, entry] : content.at("files").items())
      all.push_back({listing.substr(0, listing.find('.') + 1) + shape, entry});
  }
  return all;
}

/// MODEL, or --model or --layers with --weights.
ModelSource source_of(const Json& words) {
  ModelSource source;
  if (words.size() == 1) source.file = placed(words[0]);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string value = placed(words[i + 1]);
    if (words[i] == "--model") source.model = value;
    if (words[i] == "--layers") source.layers = value;
    if (words[i] == "--weights") source.weights = value;
  }
  return source;
}

DatasetFile inputs_of(const Json& entry) {
  return DatasetFile(kFiles / "rows.h5", entry["x"].get<std::string>());
}

void expect_predictions(const Network& model, const Json& entry) {
  const DatasetFile x = inputs_of(entry);
  Shape extents = {x.rows()};
  extents.insert(extents.end(), x.row_shape().begin(), x.row_shape().end());
  const std::vector<float> rows = hdf5::File::open(kFiles / "rows.h5")
                                      .read_floats("/" + entry["x"].get<std::string>(), extents);
  const Workspace workspace = model.inference_workspace(x.rows());
  const Range all{0, x.rows()};
  std::ranges::copy(rows, workspace.input(all).data);
  const Matrix outputs = model.forward(workspace, all, {});
  std::size_t i = 0;
  for (const Json& row : entry["predictions"])
    for (const Json& value : row)
      ASSERT_NEAR(outputs.data[i++], value.get<double>(), 1e-5) << "element " << i;
}

class FilesOfKeras : public ::testing::TestWithParam<Entry> {};

TEST_P(FilesOfKeras, PredictWhatKerasPredicts) {
  const Json& entry = GetParam().json;
  const LoadedModel loaded = load_network(source_of(entry["predict"]), inputs_of(entry).row_shape(),
                                          [](Network&, const std::string&) {});
  expect_predictions(loaded.model, entry);
}

TEST_P(FilesOfKeras, AreTrainedOnFromTheSameWeights) {
  const Json& entry = GetParam().json;
  const ModelSource source = source_of(entry["predict"]);
  TrainSettings settings;
  settings.from = source.file;
  settings.model = source.model;
  settings.layers = source.layers;
  settings.weights = source.weights;
  const std::vector<std::string> words = entry["train"];
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "--optimizer") settings.optimizer = words[i + 1];
    if (words[i] == "--loss") settings.loss = words[i + 1];
    if (words[i] == "--metrics") settings.metrics = words[i + 1];
  }
  NetworkSource network = make_network(settings, inputs_of(entry).row_shape());
  EXPECT_TRUE(network.model.compiled());
  expect_predictions(network.model, entry);

  // What is saved from it is the same network.
  const TemporaryDirectory directory;
  save_model(directory / "m.h5", network.model, nullptr, "");
  expect_predictions(load_model(directory / "m.h5").model, entry);
}

INSTANTIATE_TEST_SUITE_P(Written, FilesOfKeras, ::testing::ValuesIn(entries()),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

TEST(FilesOfKeras, AreOfManyKinds) {
  EXPECT_GE(entries().size(), 30u);
}

NetworkSource trained_on(const char* file, const std::optional<std::string>& optimizer = {},
                         const std::optional<std::string>& loss = {},
                         const std::optional<std::string>& metrics = {}) {
  TrainSettings settings;
  settings.from = (kFiles / file).string();
  settings.optimizer = optimizer;
  settings.loss = loss;
  settings.metrics = metrics;
  return make_network(settings, {});
}

TEST(ForeignTrainingConfig, NamesAllThatIsUnknownAndTheOptionsThatReplaceIt) {
  for (const char* file : {"keras2_foreign.h5", "keras3_foreign.h5"}) {
    expect_error(
        ExitCode::kBadData, [&] { trained_on(file); }, file, "training config: loss",
        "got 'my_loss'; --loss NAME replaces it", "training config: metrics", "my_metric",
        "--metrics NAMES replaces it");
    expect_error(
        ExitCode::kBadData, [&] { trained_on(file, "adam", "mse"); }, "training config: metrics");
  }
}

TEST(ForeignTrainingConfig, OptimizerThatIsUnknownIsReplacedByAFreshOne) {
  Network model = model_from_layers_text("Input((4,)), Dense(1)");
  const nlohmann::ordered_json saved = {{"optimizer_config", "muon"}, {"loss", "mse"}};
  TrainSettings settings;
  expect_error(
      ExitCode::kBadData, [&] { compile_by(settings, saved, model, CompileFor::kTraining); },
      "training config: optimizer", "got 'muon'; --optimizer adam (a fresh one) replaces it");
  settings.optimizer = "sgd";
  EXPECT_THAT(compile_by(settings, saved, model, CompileFor::kTraining),
              HasSubstr("a fresh sgd: the file's optimizer cannot be used"));
}

TEST(ForeignTrainingConfig, FreshOptimizerIsSaid) {
  const NetworkSource network = trained_on("keras2_foreign_archive.keras", "sgd");
  EXPECT_FALSE(network.start);
  ASSERT_EQ(network.notes.size(), 1u);
  EXPECT_THAT(network.notes[0], HasSubstr("a fresh sgd instead of the file's RMSprop"));
  EXPECT_EQ(network.model.optimizer().iterations(), 0);
}

TEST(ForeignTrainingConfig, RmspropGoesOn) {
  for (const char* file : {"keras2_foreign_archive.keras", "keras3_foreign_archive.keras"}) {
    const NetworkSource network = trained_on(file);
    ASSERT_TRUE(network.start) << file;
    EXPECT_TRUE(network.notes.empty()) << file;
    ASSERT_EQ(network.start->slots.size(), 1u);
    EXPECT_TRUE(std::ranges::all_of(network.start->slots[0], [](float rms) { return rms >= 0; }));
    EXPECT_TRUE(std::ranges::any_of(network.start->slots[0], [](float rms) { return rms > 0; }));
  }
}

TEST(ForeignTrainingConfig, StateOfTheSameOptimizerGoesOn) {
  for (const char* file : {"keras2_archive.keras", "keras3_archive.keras", "keras2_sequential.h5",
                           "keras3_sequential.h5"}) {
    const NetworkSource network = trained_on(file);
    ASSERT_TRUE(network.start) << file;
    EXPECT_EQ(network.start->iterations, 6) << file;
    EXPECT_TRUE(network.notes.empty()) << file;
  }
}

TEST(ForeignTrainingConfig, AccuracyIsResolvedAnewForAnotherLoss) {
  const NetworkSource network =
      trained_on("keras2_functional.h5", {}, "sparse_categorical_crossentropy");
  ASSERT_EQ(network.model.metrics().size(), 1u);
  EXPECT_EQ(network.model.metrics()[0]->to_json()["class_name"], "SparseCategoricalAccuracy");
}

TEST(WeightsFiles, ThatDoNotFitAreRefusedByTheirPlaces) {
  const std::string file = (kFiles / "keras3_weights.weights.h5").string();
  const auto read = [&](const char* layers) { read_network({"", "", layers, file}, {4, 4}); };
  expect_error(
      ExitCode::kBadData, [&] { read("Flatten(), Dense(8), Dense(5)"); }, "/layers/dense_1/vars/0",
      "expected shape (8, 5) for kernel of layer dense_1, got (8, 3)", "/layers/dense_1/vars/1");
  expect_error(
      ExitCode::kBadData, [&] { read("Flatten(), Dense(8), Dense(3), Dense(3)"); },
      "/layers/dense_2/vars/0", "expected the kernel of layer dense_2, got nothing");
  expect_error(
      ExitCode::kBadData, [&] { read("Flatten(), Dense(8)"); },
      "expected 2 weights of layers, got 4");
  expect_error(
      ExitCode::kBadData, [&] { load_model(file); }, "got the weights of one without the model",
      "--weights");
}

TEST(KerasArchives, ThatAreDamagedAreRefused) {
  std::ifstream file(kFiles / "keras3_archive.keras", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  const TemporaryDirectory directory;
  const auto write = [&](const std::string& bytes) {
    std::ofstream(directory / "m.keras", std::ios::binary) << bytes;
  };
  for (const std::size_t size : {whole.size() / 2, whole.size() - 10}) {
    write(whole.substr(0, size));
    expect_error(
        ExitCode::kBadData, [&] { load_model(directory / "m.keras"); }, "m.keras");
  }
  std::string flipped = whole;
  flipped[whole.find("glorot") == std::string::npos ? whole.find("Glorot") : 0] ^= 1;
  write(flipped);
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "m.keras"); }, "config.json", "checksum");
}

TEST(OtherFiles, ThatAreNoModelSayWhatTheyAre) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "m.h5")
      << "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "m.h5"); }, "a git-lfs pointer",
      "git lfs pull");
  std::ofstream(directory / "page.h5") << "<!DOCTYPE html><html></html>";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "page.h5"); }, "an HTML page");
  std::ofstream(directory / "net.onnx") << "\x08\x07\x12\x07pytorch\x1a\x05"
                                           "1.9.0";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "net.onnx"); }, "an ONNX network",
      "model.save");
  std::ofstream(directory / "saved.pb") << "\x08\x01\x12\x7f";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "saved.pb"); }, "a TensorFlow graph");
  std::filesystem::create_directory(directory / "saved");
  std::ofstream(directory / "saved" / "saved_model.pb") << "x";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "saved"); }, "a TensorFlow SavedModel",
      "keras.models.load_model");
  std::ofstream(directory / "m.json")
      << R"({"class_name": "Sequential", "config": {"layers": []}})";
  expect_error(
      ExitCode::kBadData, [&] { load_model(directory / "m.json"); }, "a Keras network as JSON",
      "--model", "--weights");
}

}  // namespace
}  // namespace lockstep
