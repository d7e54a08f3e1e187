#include "launch/commands/inspect_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "io/keras/keras_file.hpp"
#include "launch/cli/command.hpp"
#include "src/layers/dense.hpp"
#include "src/model/layers_text.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;

class Inspect : public testing::Test {
 protected:
  Inspect() {
    std::string pattern = testing::TempDir() + "inspect-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~Inspect() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path path(const std::string& name) const { return directory_ / name; }

  static Network small_model() {
    Network model = model_from_layers_text("Dense(3, relu), Dense(2, softmax)");
    model.build({4});
    model.initialize(7);
    model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
    return model;
  }

  static void expect_bad(const std::filesystem::path& file, const std::string& message) {
    try {
      inspect_file(file);
      FAIL() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }

  std::filesystem::path directory_;
};

TEST_F(Inspect, CountsTheClassesOfADatasetFile) {
  const std::vector<std::uint8_t> labels = {2, 0, 2, 2};
  Array y{ElementType::kUint8, 4, {}, {}};
  for (const std::uint8_t label : labels) y.bytes.push_back(std::byte{label});
  DatasetArrays arrays;
  arrays.y_train = std::move(y);
  arrays.x_train =
      Array{ElementType::kFloat32, 4, {3, 2}, std::vector<std::byte>(4 * 6 * sizeof(float))};
  write_dataset_file(path("d.h5"), arrays);

  const ordered_json report = inspect_file(path("d.h5"));

  EXPECT_EQ(report["kind"], "dataset");
  const ordered_json& first = report["datasets"][0];
  EXPECT_EQ(first["name"], "/x_train");
  EXPECT_EQ(first["shape"], ordered_json({4, 3, 2}));
  EXPECT_EQ(first["type"], "float32");
  EXPECT_EQ(first["bytes"], 96);
  EXPECT_EQ(report["datasets"][1]["class_counts"], ordered_json({1, 0, 3}));
  EXPECT_THAT(inspection_text(report),
              AllOf(HasSubstr("(4, 3, 2)"), HasSubstr("labels 0 to 2, of each: 1, 0, 3")));
}

TEST_F(Inspect, DescribesAModelFile) {
  const Network model = small_model();
  save_model(path("m.h5"), model, nullptr, "");

  const ordered_json report = inspect_file(path("m.h5"));

  EXPECT_EQ(report["kind"], "model");
  EXPECT_EQ(report["parameters"], 4 * 3 + 3 + 3 * 2 + 2);
  EXPECT_EQ(report["weights_sha256"], model.weights_sha256());
  EXPECT_EQ(report["trailer_matches"], true);
  EXPECT_FALSE(report.contains("problem"));
  EXPECT_THAT(inspection_text(report),
              AllOf(HasSubstr("Adam"), HasSubstr("sparse_categorical_crossentropy"),
                    HasSubstr("accuracy"), HasSubstr("Total params: 23"),
                    HasSubstr(model.weights_sha256()), HasSubstr("the file is whole")));
}

TEST_F(Inspect, TellsHowTrainingStandsInACheckpoint) {
  save_model(path("c.h5"), small_model(), nullptr, R"({"format": 1, "epoch": 3, "seed": 5})");
  const ordered_json report = inspect_file(path("c.h5"));
  EXPECT_EQ(report["kind"], "checkpoint");
  EXPECT_THAT(inspection_text(report), HasSubstr("epoch 3, seed 5"));
}

TEST_F(Inspect, ShowsATrainingStateThatDoesNotParseAsAProblem) {
  const std::string deep = R"({"epoch": )" + std::string(100, '[') + std::string(100, ']') + "}";
  for (const std::string& state : {std::string("{\"epoch\": "), deep}) {
    save_model(path("c.h5"), small_model(), nullptr, state);
    const ordered_json report = inspect_file(path("c.h5"));
    ASSERT_TRUE(report.contains("problem")) << state;
    EXPECT_THAT(report["problem"].get<std::string>(), HasSubstr("the attribute training_state"));
    EXPECT_FALSE(report.contains("training_state"));
    EXPECT_TRUE(report.contains("summary"));
  }
}

TEST_F(Inspect, HashesAWeightsFileAsTheModel) {
  const Network model = small_model();
  hdf5::Writer writer = hdf5::Writer::create(path("w.h5"));
  std::vector<std::string> layers;
  for (const auto& layer : model.layers()) {
    layers.push_back(layer->name());
    writer.create_group("/" + layer->name());
    std::vector<std::string> weights;
    for (const Parameter& parameter : layer->parameters()) {
      weights.push_back(layer->name() + "/" + parameter.name + ":0");
      writer.create_group("/" + layer->name() + "/" + layer->name());
      writer.write_floats("/" + layer->name() + "/" + weights.back(), parameter.shape,
                          parameter.value);
    }
    writer.write_strings("/" + layer->name(), "weight_names", weights);
  }
  writer.write_strings("/", "layer_names", layers);
  writer.close();

  const ordered_json report = inspect_file(path("w.h5"));

  EXPECT_EQ(report["kind"], "weights");
  EXPECT_EQ(report["weights_sha256"], model.weights_sha256());
}

TEST_F(Inspect, ShowsTheWeightsOfAModelThatLockstepCannotRun) {
  hdf5::Writer writer = hdf5::Writer::create(path("k.h5"));
  writer.write_string("/", "model_config", R"({"class_name": "Sequential", "config": {"name": "s",
    "layers": [{"class_name": "Wavelet", "config": {"name": "w"}}]}})");
  writer.create_group("/model_weights/w");
  writer.write_floats("/model_weights/w/scale", {3}, std::vector<float>{1, 2, 3});
  writer.write_strings("/model_weights/w", "weight_names", {"scale"});
  writer.write_strings("/model_weights", "layer_names", {"w"});
  writer.close();

  const ordered_json report = inspect_file(path("k.h5"));
  EXPECT_EQ(report["parameters"], 3);
  EXPECT_THAT(report["problem"].get<std::string>(), HasSubstr("Wavelet"));

  try {
    run_inspect({{path("k.h5").string()}, nullptr});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
  }
}

TEST_F(Inspect, FindsADamagedCheckpoint) {
  save_model(path("c.h5"), small_model(), nullptr, "{}");
  std::fstream file(path("c.h5"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-60, std::ios::end);
  file.put('!');
  file.close();
  expect_bad(path("c.h5"), "damaged");
}

TEST_F(Inspect, RefusesOtherFiles) {
  std::ofstream(path("t.h5")) << "not an HDF5 file at all";
  expect_bad(path("t.h5"), "t.h5");
  hdf5::Writer::create(path("e.h5")).close();
  expect_bad(path("e.h5"), "without datasets");
  EXPECT_THROW(run_inspect({{}, nullptr}), Error);
}

}  // namespace
}  // namespace lockstep
