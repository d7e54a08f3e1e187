#include <nlohmann/json.hpp>

#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_archive.hpp"
#include "io/keras/keras_file.hpp"
#include "io/keras/keras_slot_order.hpp"
#include "src/model/model_json.hpp"
#include "tests/io/io_test_support.hpp"
#include "tests/io/keras/keras_file_models.hpp"
#include "tests/support/optimizer_settings.hpp"

/// The state of every optimizer in the files of every Keras. (That Kerases read them, and we
/// theirs: tests/system/optimizers_test.py.)
namespace lockstep {
namespace {

using test::TemporaryDirectory;
using testing::ElementsAre;

Network model_with(const nlohmann::ordered_json& optimizer) {
  Network model = make_model("");
  model.compile(optimizer, nlohmann::ordered_json("sparse_categorical_crossentropy"),
                nlohmann::ordered_json::array());
  model.optimizer().set_iterations(17);
  return model;
}

Network model_with(const char* class_name, const char* config) {
  return model_with(
      {{"class_name", class_name}, {"config", nlohmann::ordered_json::parse(config)}});
}

class StateOf : public testing::TestWithParam<test::OptimizerSetting> {};
INSTANTIATE_TEST_SUITE_P(Optimizers, StateOf, testing::ValuesIn(test::optimizer_settings()),
                         [](const auto& info) { return info.param.name; });

TEST_P(StateOf, ComesBackFromFilesOfBothForms) {
  for (const char* name : {"m.h5", "m.keras"}) {
    const TemporaryDirectory directory;
    const Network model = model_with(GetParam().json);
    const OptimizerSlots slots = make_slots(model);
    save_model(directory / name, model, &slots, "");
    const LoadedModel loaded = load_model(directory / name);
    EXPECT_EQ(loaded.slots, slots) << name;
    EXPECT_EQ(loaded.iterations, 17) << name;
    EXPECT_EQ(training_config_to_json(loaded.model), training_config_to_json(model)) << name;
  }
}

/// Their first numbers, of a network with two layers of kernel and bias.
std::vector<float> in_keras3_order(const Network& model) {
  const OptimizerSlots slots = make_slots(model);
  const KerasArchive archive = read_keras_archive(keras_archive(model, &slots, ""), "m.keras");
  const hdf5::File file = hdf5::File::open_image(archive.weights, "weights");
  std::vector<float> firsts;
  for (int number = 2; file.exists("/optimizer/vars/" + std::to_string(number)); ++number) {
    const std::string path = "/optimizer/vars/" + std::to_string(number);
    firsts.push_back(file.read_floats(path, file.dataset_info(path).extents)[0]);
  }
  return firsts;
}

TEST(KerasSlotOrder, OfKeras3) {
  // make_slots() counts weights: 20 and 5, 15 and 3.
  EXPECT_THAT(in_keras3_order(model_with("RMSprop", R"({"momentum": 0.5, "centered": true})")),
              ElementsAre(1000, 1020, 1025, 1040, 2000, 2020, 2025, 2040, 3000, 3020, 3025, 3040));
  EXPECT_THAT(in_keras3_order(model_with("Ftrl", "{}")),
              ElementsAre(1000, 2000, 1020, 2020, 1025, 2025, 1040, 2040));
  EXPECT_THAT(
      in_keras3_order(model_with(
          "SGD", R"({"momentum": 0.5, "use_ema": true, "gradient_accumulation_steps": 2})")),
      ElementsAre(2000, 2020, 2025, 2040, 3000, 3020, 3025, 3040, 1000, 1020, 1025, 1040));
}

TEST(KerasSlotOrder, EndsWithNadamsProduct) {
  const std::vector<float> numbers = in_keras3_order(model_with("Nadam", "{}"));
  ASSERT_EQ(numbers.size(), 9u);
  double product = 1, decay = 1;
  for (int t = 1; t <= 17; ++t) product *= 0.9 * (1 - 0.5 * (decay *= 0.96));
  EXPECT_NEAR(numbers.back() / product, 1, 1e-5);
}

std::vector<std::string> names_in_h5(const Network& model) {
  const OptimizerSlots slots = make_slots(model);
  const TemporaryDirectory directory;
  save_model(directory / "m.h5", model, &slots, "");
  return hdf5::File::open(directory / "m.h5").read_strings("/optimizer_weights", "weight_names");
}

TEST(KerasSlotOrder, OfTheOldFormIsThatOfWhoKnowsTheOptimizer) {
  EXPECT_THAT(
      names_in_h5(model_with("Adamax", "{}")),
      ElementsAre("Adamax/iter:0", "Adamax/dense/kernel/m:0", "Adamax/dense/bias/m:0",
                  "Adamax/dense_1/kernel/m:0", "Adamax/dense_1/bias/m:0", "Adamax/dense/kernel/v:0",
                  "Adamax/dense/bias/v:0", "Adamax/dense_1/kernel/v:0", "Adamax/dense_1/bias/v:0"));
  EXPECT_THAT(
      names_in_h5(model_with("Ftrl", "{}")),
      ElementsAre("Ftrl/iter:0", "Ftrl/dense/kernel/accumulator:0", "Ftrl/dense/kernel/linear:0",
                  "Ftrl/dense/bias/accumulator:0", "Ftrl/dense/bias/linear:0",
                  "Ftrl/dense_1/kernel/accumulator:0", "Ftrl/dense_1/kernel/linear:0",
                  "Ftrl/dense_1/bias/accumulator:0", "Ftrl/dense_1/bias/linear:0"));
  EXPECT_THAT(names_in_h5(model_with("Lion", "{}")),
              ElementsAre("Lion/iteration:0", "Lion/learning_rate:0",
                          "Lion/dense/kernel/momentum:0", "Lion/dense/bias/momentum:0",
                          "Lion/dense_1/kernel/momentum:0", "Lion/dense_1/bias/momentum:0"));
  EXPECT_EQ(names_in_h5(model_with("Nadam", "{}")).back(), "Nadam/u_product:0");
}

TEST(KerasSlotOrder, KnowsWhatKeras2Knows) {
  const auto known = [](const char* class_name, const char* config) {
    return is_known_to_keras2(model_with(class_name, config).optimizer());
  };
  EXPECT_TRUE(known("Adam", R"({"clipnorm": 1.0})"));
  EXPECT_FALSE(known("Adam", R"({"weight_decay": 0.1})"));
  EXPECT_FALSE(known("Adam", R"({"use_ema": true})"));
  EXPECT_FALSE(known("SGD", R"({"gradient_accumulation_steps": 2})"));
  EXPECT_FALSE(known("Nadam", "{}"));
  EXPECT_FALSE(known("AdamW", "{}"));
}

}  // namespace
}  // namespace lockstep
