#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "src/model/model_json.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"
#include "tests/io/keras/keras_file_models.hpp"

// Model files that Lockstep did not write: by other Kerases, damaged, or none at all.
namespace lockstep {
namespace {

using hdf5::Writer;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;

constexpr ExitCode kBad = ExitCode::kBadData;

/// A model's file as another Keras writes it: `optimizer_weights` in the order of `names`.
struct NamedWeights {
  std::string name;
  Shape shape;
  float first;
};

std::vector<std::byte> foreign_image(const Network& model, const std::string& step_name,
                                     const std::vector<NamedWeights>& weights) {
  Writer writer = Writer::in_memory();
  writer.write_string("/", "model_config", model_to_json(model).dump());
  writer.write_string("/", "training_config", training_config_to_json(model).dump());
  writer.create_group("/model_weights");
  std::vector<std::string> layer_names;
  for (const auto& layer : model.layers()) {
    if (layer->parameters().empty()) continue;
    layer_names.push_back(layer->name());
    std::vector<std::string> weight_names;
    for (const Parameter& parameter : layer->parameters()) {  // as Keras 3 names them
      weight_names.push_back("sequential/" + layer->name() + "/" + parameter.name);
      writer.write_floats("/model_weights/" + layer->name() + "/" + weight_names.back(),
                          parameter.shape, parameter.value);
    }
    writer.write_strings("/model_weights/" + layer->name(), "weight_names", weight_names);
  }
  writer.write_strings("/model_weights", "layer_names", layer_names);
  writer.create_group("/optimizer_weights");
  std::vector<std::string> names = {step_name};
  writer.write_integer("/optimizer_weights/" + step_name, 17);
  for (const NamedWeights& weight : weights) {
    names.push_back(weight.name);
    std::vector<float> values(static_cast<std::size_t>(element_count(weight.shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = weight.first + static_cast<float>(i);
    }
    writer.write_floats("/optimizer_weights/" + weight.name, weight.shape, values);
  }
  writer.write_strings("/optimizer_weights", "weight_names", names);
  return writer.take_image();
}

LoadedModel load_image(const std::vector<std::byte>& image) {
  TemporaryDirectory directory;
  write_atomically(directory / "m.h5", image);
  return load_model(directory / "m.h5");
}

TEST(KerasFile, ReadsTheInterleavedOptimizerStateOfTfKeras) {
  const Network model = make_model();
  const LoadedModel loaded = load_image(foreign_image(model, "iteration:0",
                                                      {{"Adam/m/dense/kernel:0", {4, 5}, 1000},
                                                       {"Adam/v/dense/kernel:0", {4, 5}, 2000},
                                                       {"Adam/m/dense/bias:0", {5}, 1020},
                                                       {"Adam/v/dense/bias:0", {5}, 2020},
                                                       {"Adam/m/dense_1/kernel:0", {5, 3}, 1025},
                                                       {"Adam/v/dense_1/kernel:0", {5, 3}, 2025},
                                                       {"Adam/m/dense_1/bias:0", {3}, 1040},
                                                       {"Adam/v/dense_1/bias:0", {3}, 2040}}));

  EXPECT_EQ(loaded.slots, make_slots(model));
  EXPECT_EQ(loaded.iterations, 17);
  EXPECT_EQ(loaded.model.weights_sha256(), model.weights_sha256());
}

TEST(KerasFile, ReadsTheOptimizerStateOfKeras3) {
  const Network model = make_model();
  const std::string prefix = "adam/sequential_dense_";
  const LoadedModel loaded = load_image(foreign_image(model, "adam/iteration",
                                                      {{"adam/learning_rate", {}, 0.001f},
                                                       {prefix + "kernel_momentum", {4, 5}, 1000},
                                                       {prefix + "kernel_velocity", {4, 5}, 2000},
                                                       {prefix + "bias_momentum", {5}, 1020},
                                                       {prefix + "bias_velocity", {5}, 2020},
                                                       {prefix + "1_kernel_momentum", {5, 3}, 1025},
                                                       {prefix + "1_kernel_velocity", {5, 3}, 2025},
                                                       {prefix + "1_bias_momentum", {3}, 1040},
                                                       {prefix + "1_bias_velocity", {3}, 2040}}));

  EXPECT_EQ(loaded.slots, make_slots(model));
  EXPECT_EQ(loaded.iterations, 17);
}

TEST(KerasFile, OptimizerStateThatDoesNotFitIsLeftOut) {
  const Network model = make_model();
  const std::vector<NamedWeights> legacy = {
      {"Adam/dense/kernel/m:0", {4, 5}, 1},   {"Adam/dense/bias/m:0", {5}, 1},
      {"Adam/dense_1/kernel/m:0", {5, 3}, 1}, {"Adam/dense_1/bias/m:0", {3}, 1},
      {"Adam/dense/kernel/v:0", {4, 5}, 1},   {"Adam/dense/bias/v:0", {5}, 1},
      {"Adam/dense_1/kernel/v:0", {5, 3}, 1}, {"Adam/dense_1/bias/v:0", {3}, 1}};
  std::vector<NamedWeights> other_shape = legacy;
  other_shape[4].shape = {5, 4};
  std::vector<NamedWeights> fewer = legacy;
  fewer.pop_back();
  std::vector<NamedWeights> other_names = legacy;
  for (NamedWeights& weight : other_names) weight.name += "hat:0";

  EXPECT_TRUE(load_image(foreign_image(model, "Adam/iter:0", legacy)).slots.has_value());
  for (const auto& weights : {other_shape, fewer, other_names}) {
    const LoadedModel loaded = load_image(foreign_image(model, "Adam/iter:0", weights));
    EXPECT_FALSE(loaded.slots.has_value());
    EXPECT_EQ(loaded.iterations, 0);
  }
  EXPECT_FALSE(load_image(foreign_image(model, "what:0", legacy)).slots.has_value());
}

/// A file with the architecture of make_model() whose weights `fill` writes.
template <class Fill>
void write_model_with(const std::filesystem::path& path, Fill&& fill) {
  Writer writer = Writer::in_memory();
  writer.write_string("/", "model_config", model_to_json(make_model()).dump());
  writer.create_group("/model_weights/a");
  writer.create_group("/model_weights/b");
  fill(writer);
  write_atomically(path, writer.take_image());
}

void write_layer(Writer& writer, const std::string& name, const Shape& kernel, const Shape& bias) {
  const std::string group = "/model_weights/" + name;
  writer.write_strings(group, "weight_names", {"kernel:0", "bias:0"});
  writer.write_floats(group + "/kernel:0", kernel,
                      std::vector<float>(static_cast<std::size_t>(element_count(kernel)), 1));
  writer.write_floats(group + "/bias:0", bias,
                      std::vector<float>(static_cast<std::size_t>(element_count(bias)), 2));
}

TEST(KerasFile, WeightsOfAnotherShapeOrNumberAreRefused) {
  TemporaryDirectory directory;
  const auto load = [&] { load_model(directory / "m.h5"); };

  write_model_with(directory / "m.h5", [](Writer& writer) {
    writer.write_strings("/model_weights", "layer_names", {"a", "b"});
    write_layer(writer, "a", {4, 5}, {5});
    write_layer(writer, "b", {3, 5}, {3});
  });
  expect_error(kBad, {"m.h5:/model_weights/b/kernel:0", "(5, 3)", "(3, 5)", "dense_1"}, load);

  write_model_with(directory / "m.h5", [](Writer& writer) {
    writer.write_strings("/model_weights", "layer_names", {"a"});
    write_layer(writer, "a", {4, 5}, {5});
  });
  expect_error(kBad, {"m.h5", "expected weights for 2 layers, got 1"}, load);

  write_model_with(directory / "m.h5", [](Writer& writer) {
    writer.write_strings("/model_weights", "layer_names", {"a", "b"});
    write_layer(writer, "a", {4, 5}, {5});
    writer.write_strings("/model_weights/b", "weight_names", {"kernel:0"});
    writer.write_floats("/model_weights/b/kernel:0", {5, 3}, std::vector<float>(15));
  });
  expect_error(kBad, {"m.h5", "expected 2 weights for layer dense_1, got 1"}, load);
}

TEST(KerasFile, WeightsAreMatchedByPositionAndNotByName) {
  TemporaryDirectory directory;
  write_model_with(directory / "m.h5", [](Writer& writer) {
    writer.create_group("/model_weights/none");
    writer.write_strings("/model_weights/none", "weight_names", {});
    writer.write_strings("/model_weights", "layer_names", {"b", "none", "a"});
    write_layer(writer, "b", {4, 5}, {5});
    write_layer(writer, "a", {5, 3}, {3});
  });

  const LoadedModel loaded = load_model(directory / "m.h5");

  EXPECT_EQ(loaded.model.arena().parameters()[0]->value[0], 1.0f);
  EXPECT_EQ(loaded.model.arena().parameters()[3]->value[2], 2.0f);
}

TEST(KerasFile, WeightsBehindAnExternalLinkAreRefused) {
  TemporaryDirectory directory;
  write_model_with(directory / "m.h5", [](Writer& writer) {
    writer.write_strings("/model_weights", "layer_names", {"a", "b"});
    write_layer(writer, "a", {4, 5}, {5});
    writer.write_strings("/model_weights/b", "weight_names", {"kernel:0", "bias:0"});
  });
  const hid_t file = H5Fopen((directory / "m.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lcreate_external("/somewhere/else.h5", "/w", file, "/model_weights/b/kernel:0", H5P_DEFAULT,
                     H5P_DEFAULT);
  H5Fclose(file);

  expect_error(kBad, {"m.h5:/model_weights/b/kernel:0", "external link", "else.h5"},
               [&] { load_model(directory / "m.h5"); });
}

TEST(KerasFile, WhatIsNoModelIsRefused) {
  TemporaryDirectory directory;
  const auto load = [&] { load_model(directory / "m.h5"); };
  expect_error(ExitCode::kMissingInput, {"m.h5"}, load);

  for (const std::string& content : {std::string(), std::string("x"), std::string(5000, 'x')}) {
    write_bytes(directory / "m.h5", content);
    expect_error(kBad, {"m.h5", "expected"}, load);
  }
  Writer dataset = Writer::in_memory();
  dataset.write_floats("/x_train", {1}, std::vector<float>(1));
  write_atomically(directory / "m.h5", dataset.take_image());
  expect_error(kBad, {"m.h5", "model_config", "/x_train"}, load);

  Writer syntax = Writer::in_memory();
  syntax.write_string("/", "model_config", "{\"class_name\": ");
  write_atomically(directory / "m.h5", syntax.take_image());
  expect_error(kBad, {"m.h5", "line 1"}, load);

  Writer unknown = Writer::in_memory();
  nlohmann::ordered_json json = model_to_json(make_model());
  json["config"]["layers"][1]["class_name"] = "Conv9D";
  unknown.write_string("/", "model_config", json.dump());
  write_atomically(directory / "m.h5", unknown.take_image());
  expect_error(kBad, {"m.h5", "Conv9D"}, load);
}

TEST(KerasFile, ADamagedTrainingConfigIsRefused) {
  TemporaryDirectory directory;
  const std::vector<std::pair<std::string, std::string>> configs = {
      {"{\"loss\":", "training_config: line 1, column 9: syntax error"},
      {std::string(1'000'000, '['), "64 levels"},
      {"{\"loss\":\"mse\",\"optimizer_config\":{\"class_name\":\"Muon\",\"config\":{}}}", "Muon"}};
  for (const auto& [config, word] : configs) {
    write_model_with(directory / "m.h5", [&](Writer& writer) {
      writer.write_string("/", "training_config", config);
      writer.write_strings("/model_weights", "layer_names", {"a", "b"});
      write_layer(writer, "a", {4, 5}, {5});
      write_layer(writer, "b", {5, 3}, {3});
    });
    expect_error(kBad, {"m.h5", word}, [&] { load_model(directory / "m.h5"); });
  }
}

}  // namespace
}  // namespace lockstep
