#include "io/keras/keras_file.hpp"

#include <malloc.h>

#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "src/core/hash.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/io/hdf5/hdf5_test_files.hpp"
#include "tests/io/io_test_support.hpp"
#include "tests/io/keras/keras_file_models.hpp"

namespace lockstep {
namespace {

using hdf5::File;
using hdf5::Writer;
using test::bytes_of;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::ElementsAre;

constexpr std::size_t kTrailerBytes = 48;
constexpr ExitCode kBad = ExitCode::kBadData;

File image_file(const Network& model, const OptimizerSlots* slots = nullptr) {
  return File::open_image(keras_image(model, slots, ""), "image");
}

TEST(KerasFile, ComesBackWithWeightsOptimizerAndTrainingState) {
  TemporaryDirectory directory;
  Network model = make_model();
  model.optimizer().set_iterations(42);
  const OptimizerSlots slots = make_slots(model);
  const std::string state = R"({"epoch":3,"note":"Grüße"})";

  save_model(directory / "m.h5", model, &slots, state);
  const LoadedModel loaded = load_model(directory / "m.h5");

  EXPECT_EQ(loaded.model.weights_sha256(), model.weights_sha256());
  EXPECT_EQ(model_to_json(loaded.model), model_to_json(model));
  ASSERT_TRUE(loaded.model.compiled());
  EXPECT_EQ(training_config_to_json(loaded.model), training_config_to_json(model));
  EXPECT_EQ(loaded.slots, slots);
  EXPECT_EQ(loaded.iterations, 42);
  EXPECT_EQ(loaded.model.optimizer().iterations(), 42);
  EXPECT_EQ(loaded.training_state, state);
}

TEST(KerasFile, AModelThatIsNotCompiledHasNoTrainingConfig) {
  TemporaryDirectory directory;
  const Network model = make_model("");

  save_model(directory / "m.h5", model, nullptr, "");
  const LoadedModel loaded = load_model(directory / "m.h5");

  EXPECT_FALSE(loaded.model.compiled());
  EXPECT_FALSE(loaded.slots.has_value());
  EXPECT_EQ(loaded.training_state, "");
  EXPECT_EQ(loaded.model.weights_sha256(), model.weights_sha256());
  EXPECT_FALSE(image_file(model).has_attribute("/", "training_config"));
}

TEST(KerasFile, AnOptimizerWithoutSlotsKeepsItsIterations) {
  TemporaryDirectory directory;
  Network model = make_model("sgd");
  model.optimizer().set_iterations(9);
  const OptimizerSlots none;

  save_model(directory / "m.h5", model, &none, "");
  const LoadedModel loaded = load_model(directory / "m.h5");

  EXPECT_EQ(loaded.slots, none);
  EXPECT_EQ(loaded.iterations, 9);
}

TEST(KerasFile, HasTheTreeThatKeras2Writes) {
  const Network model = make_model();
  const OptimizerSlots slots = make_slots(model);
  const File file = image_file(model, &slots);

  EXPECT_THAT(file.attribute_names("/"),
              ElementsAre("backend", "keras_version", "model_config", "training_config"));
  EXPECT_THAT(file.children("/"), ElementsAre("model_weights", "optimizer_weights"));
  EXPECT_EQ(file.read_string("/", "backend"), "tensorflow");
  EXPECT_EQ(file.read_string("/model_weights", "backend"), "tensorflow");
  EXPECT_EQ(file.read_string("/model_weights", "keras_version"), "2.15.0");
  EXPECT_THAT(file.read_strings("/model_weights", "layer_names"),
              ElementsAre("dense", "dropout", "dense_1"));
  EXPECT_THAT(file.children("/model_weights"),
              ElementsAre("dense", "dense_1", "dropout", "top_level_model_weights"));
  EXPECT_THAT(file.read_strings("/model_weights/dense_1", "weight_names"),
              ElementsAre("dense_1/kernel:0", "dense_1/bias:0"));
  EXPECT_THAT(file.read_strings("/model_weights/dropout", "weight_names"), ElementsAre());
  EXPECT_THAT(file.read_strings("/model_weights/top_level_model_weights", "weight_names"),
              ElementsAre());
  EXPECT_EQ(file.dataset_info("/model_weights/dense/dense/kernel:0").extents, (Shape{4, 5}));
  EXPECT_THAT(
      file.read_strings("/optimizer_weights", "weight_names"),
      ElementsAre("Adam/iter:0", "Adam/dense/kernel/m:0", "Adam/dense/bias/m:0",
                  "Adam/dense_1/kernel/m:0", "Adam/dense_1/bias/m:0", "Adam/dense/kernel/v:0",
                  "Adam/dense/bias/v:0", "Adam/dense_1/kernel/v:0", "Adam/dense_1/bias/v:0"));
  EXPECT_EQ(file.dataset_info("/optimizer_weights/Adam/iter:0").extents, Shape{});
  EXPECT_EQ(file.dataset_info("/optimizer_weights/Adam/iter:0").type, ElementType::kInt64);
}

/// (class, is variable, size, padding, axes) of an attribute.
struct AttributeType {
  H5T_class_t kind;
  bool variable;
  std::size_t size;
  H5T_str_t padding;
  H5S_class_t space;
  bool operator==(const AttributeType&) const = default;
};

AttributeType attribute_type(hid_t file, const char* object, const char* name) {
  const hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  const hid_t space = H5Aget_space(attribute);
  const bool text = H5Tget_class(type) == H5T_STRING;
  const bool variable = text && H5Tis_variable_str(type) > 0;
  const AttributeType result{H5Tget_class(type), variable, variable ? 0 : H5Tget_size(type),
                             text ? H5Tget_strpad(type) : H5T_STR_ERROR,
                             H5Sget_simple_extent_type(space)};
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
  return result;
}

TEST(KerasFile, HasTheAttributeTypesThatH5pyWrites) {
  TemporaryDirectory directory;
  save_model(directory / "m.h5", make_model(), nullptr, "");
  const hid_t file = H5Fopen((directory / "m.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);

  const AttributeType text{H5T_STRING, true, 0, H5T_STR_NULLTERM, H5S_SCALAR};
  for (const char* name : {"model_config", "training_config", "keras_version", "backend"}) {
    EXPECT_EQ(attribute_type(file, "/", name), text) << name;
  }
  EXPECT_EQ(attribute_type(file, "/model_weights", "layer_names"),
            (AttributeType{H5T_STRING, false, 7, H5T_STR_NULLPAD, H5S_SIMPLE}));
  EXPECT_EQ(attribute_type(file, "/model_weights/dropout", "weight_names"),
            (AttributeType{H5T_FLOAT, false, 8, H5T_STR_ERROR, H5S_SIMPLE}));
  H5Fclose(file);
}

TEST(KerasFile, TheSameModelGivesTheSameBytes) {
  const Network model = make_model();
  const OptimizerSlots slots = make_slots(model);

  mallopt(M_PERTURB, 0x55);
  const std::vector<std::byte> first = keras_image(model, &slots, "{}");
  mallopt(M_PERTURB, 0xaa);
  const std::vector<std::byte> second = keras_image(make_model(), &slots, "{}");
  mallopt(M_PERTURB, 0);

  EXPECT_EQ(first, second);
}

TEST(KerasFile, KeepsTheNamesOfTheClasses) {
  TemporaryDirectory directory;
  std::vector<std::string> classes;
  for (int i = 0; i < 20'000; ++i) classes.push_back(fmt::format("class \"{:05}\"", i));
  save_model(directory / "m.h5", make_model(), nullptr, "", "", classes);
  EXPECT_EQ(load_model(directory / "m.h5").classes, classes);
  save_model(directory / "m.h5", make_model(), nullptr, "");
  EXPECT_TRUE(load_model(directory / "m.h5").classes.empty());
  save_model(directory / "m.h5", make_model(), nullptr, "", "", {"b", "a"});
  expect_error(kBad, {"m.h5", "ascending order", "attribute classes"},
               [&] { load_model(directory / "m.h5"); });
}

TEST(KerasFile, NamesThatNeedSeveralAttributesComeBack) {
  std::string text = "Input((2,))";
  for (int i = 0; i < 33; ++i) {
    text += fmt::format(", Dense(2, name=layer_{}_{})", std::string(2000, 'n'), i);
  }
  TemporaryDirectory directory;
  Network model = model_from_layers_text(text);
  model.initialize(1);

  save_model(directory / "m.h5", model, nullptr, "");

  EXPECT_TRUE(File::open(directory / "m.h5").has_attribute("/model_weights", "layer_names1"));
  EXPECT_EQ(load_model(directory / "m.h5").model.weights_sha256(), model.weights_sha256());
}

TEST(KerasFile, EveryFlippedBitIsFound) {
  TemporaryDirectory directory;
  const Network model = make_model();
  const OptimizerSlots slots = make_slots(model);
  save_model(directory / "m.h5", model, &slots, "{}");
  const std::string whole = bytes_of(directory / "m.h5");

  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < 200; ++i) offsets.push_back(i * 7919 * 31 % whole.size());
  for (std::size_t i = 0; i < kTrailerBytes; ++i) offsets.push_back(whole.size() - 1 - i);
  for (const std::size_t offset : offsets) {
    std::string damaged = whole;
    damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << (offset % 8)));
    write_bytes(directory / "m.h5", damaged);
    expect_error(kBad, {"m.h5", "damaged"}, [&] { load_model(directory / "m.h5"); });
  }
}

TEST(KerasFile, TruncationAndAnotherFilesTrailerAreFound) {
  TemporaryDirectory directory;
  const Network model = make_model();
  save_model(directory / "m.h5", model, nullptr, "{}");
  save_model(directory / "other.h5", make_model("adam", 8), nullptr, "{}");
  const std::string whole = bytes_of(directory / "m.h5");
  const std::string other = bytes_of(directory / "other.h5");

  for (const std::size_t missing :
       {std::size_t{1}, std::size_t{20}, kTrailerBytes, kTrailerBytes + 1, whole.size() / 2,
        whole.size() - 1, whole.size()}) {
    write_bytes(directory / "m.h5", whole.substr(0, whole.size() - missing));
    expect_error(kBad, {"m.h5"}, [&] { load_model(directory / "m.h5"); });
  }
  write_bytes(directory / "m.h5", whole.substr(0, whole.size() - kTrailerBytes) +
                                      other.substr(other.size() - kTrailerBytes));
  expect_error(kBad, {"m.h5", "damaged", "SHA-256"}, [&] { load_model(directory / "m.h5"); });
}

TEST(KerasFile, TheTrailerHasLengthAndSha256OfTheImage) {
  TemporaryDirectory directory;
  const Network model = make_model();
  save_model(directory / "m.h5", model, nullptr, "");
  const std::string whole = bytes_of(directory / "m.h5");
  const std::vector<std::byte> image = keras_image(model, nullptr, "");

  ASSERT_EQ(whole.size(), image.size() + kTrailerBytes);
  EXPECT_EQ(whole.substr(image.size(), 8), "LOCKSTEP");
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data() + image.size() + 8, 8);
  EXPECT_EQ(length, image.size());
  Sha256 hash;
  hash.add(image);
  const auto digest = hash.digest();
  EXPECT_EQ(std::memcmp(whole.data() + image.size() + 16, digest.data(), 32), 0);
}

TEST(KerasFile, AForeignFileNeedsNoTrailer) {
  TemporaryDirectory directory;
  const Network model = make_model();
  write_atomically(directory / "m.h5", keras_image(model, nullptr, ""));

  EXPECT_EQ(load_model(directory / "m.h5").model.weights_sha256(), model.weights_sha256());
}

TEST(KerasFile, FrozenWeightsHaveNoSlots) {
  nlohmann::ordered_json json = model_to_json(make_model());
  json["config"]["layers"][1]["config"]["trainable"] = false;
  Network model = model_from_json(json);
  model.initialize(3);
  model.compile("adam", "sparse_categorical_crossentropy", {});
  OptimizerSlots slots(
      2, std::vector<float>(static_cast<std::size_t>(model.arena().trainable_size()), 0.0f));
  slots[0][0] = 1;
  slots[1][0] = 2;
  TemporaryDirectory directory;

  save_model(directory / "m.h5", model, &slots, "");
  const LoadedModel loaded = load_model(directory / "m.h5");

  EXPECT_EQ(loaded.slots, slots);
  EXPECT_EQ(loaded.model.weights_sha256(), model.weights_sha256());
  EXPECT_EQ(
      File::open(directory / "m.h5").read_strings("/optimizer_weights", "weight_names").size(), 5u);
}

TEST(KerasFile, SlotsOfAnotherSizeAreRefusedOnSaving) {
  const Network model = make_model();
  OptimizerSlots slots = make_slots(model);
  slots[1].pop_back();
  expect_error(kBad, {"slot v"}, [&] { keras_image(model, &slots, ""); });
  slots.pop_back();
  expect_error(kBad, {"expected 2 optimizer slots, got 1"},
               [&] { keras_image(model, &slots, ""); });
}

TEST(CopyWeights, CopiesAllOrNothing) {
  const Network from = make_model("", 1);
  Network to = make_model("", 2);
  copy_weights(from, to);
  EXPECT_EQ(to.weights_sha256(), from.weights_sha256());

  Network wider = model_from_layers_text("Input((4,)), Dense(5), Dense(4)");
  wider.initialize(1);
  const std::string before = wider.weights_sha256();
  expect_error(kBad, {"dense_1", "kernel", "(5, 4)", "(5, 3)"}, [&] { copy_weights(from, wider); });
  EXPECT_EQ(wider.weights_sha256(), before);

  Network deeper = model_from_layers_text("Input((4,)), Dense(5), Dense(3), Dense(3)");
  expect_error(kBad, {"expected 3 layers with weights", "got 2"},
               [&] { copy_weights(from, deeper); });
}

}  // namespace
}  // namespace lockstep
