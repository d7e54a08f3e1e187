#include <malloc.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_archive.hpp"
#include "io/keras/keras_file.hpp"
#include "src/layers/merging.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_builder.hpp"
#include "tests/io/io_test_support.hpp"
#include "tests/io/keras/keras_file_models.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;

constexpr ExitCode kBad = ExitCode::kBadData;

KerasArchive unpacked(const std::vector<std::byte>& bytes) {
  return read_keras_archive(bytes, "m.keras");
}

TEST(Keras3File, ComesBackWithEverything) {
  for (const char* optimizer : {"adam", "sgd"}) {
    const TemporaryDirectory directory;
    Network model = make_model(optimizer);
    model.optimizer().set_iterations(17);
    const OptimizerSlots slots = make_slots(model);
    save_model(directory / "m.keras", model, &slots, R"({"epoch": 3})", R"({"columns": []})",
               {"a", "b"});

    const LoadedModel loaded = load_model(directory / "m.keras");

    EXPECT_EQ(loaded.model.weights_sha256(), model.weights_sha256());
    EXPECT_EQ(model_to_json(loaded.model), model_to_json(model));
    EXPECT_EQ(training_config_to_json(loaded.model), training_config_to_json(model));
    EXPECT_EQ(loaded.slots, slots);
    EXPECT_EQ(loaded.iterations, 17);
    EXPECT_EQ(loaded.training_state, R"({"epoch": 3})");
    EXPECT_EQ(loaded.table_mapping, R"({"columns": []})");
    EXPECT_EQ(loaded.classes, (std::vector<std::string>{"a", "b"}));
  }
}

TEST(Keras3File, HoldsAThirdSlotBehindTheOthers) {
  Network model = make_model("");
  model.compile({{"class_name", "Adam"}, {"config", {{"amsgrad", true}}}},
                "sparse_categorical_crossentropy", nlohmann::ordered_json::array());
  const OptimizerSlots slots = make_slots(model);
  ASSERT_EQ(slots.size(), 3u);
  const TemporaryDirectory directory;
  save_model(directory / "m.keras", model, &slots, "");

  EXPECT_EQ(load_model(directory / "m.keras").slots, slots);
  const KerasArchive archive = unpacked(keras_archive(model, &slots, ""));
  const hdf5::File file = hdf5::File::open_image(archive.weights, "weights");
  // iteration, learning rate, then m and v of two layers' kernel and bias, then their maxima
  EXPECT_EQ(file.dataset_info("/optimizer/vars/1").extents, Shape{});
  EXPECT_EQ(file.read_floats("/optimizer/vars/2", {4, 5})[0], 1000.0f);
  EXPECT_EQ(file.read_floats("/optimizer/vars/3", {4, 5})[0], 2000.0f);
  EXPECT_EQ(file.read_floats("/optimizer/vars/10", {4, 5})[0], 3000.0f);
}

TEST(Keras3File, HasNoRateWhereAScheduleMakesIt) {
  Network model = make_model("");
  model.compile({{"class_name", "SGD"},
                 {"config",
                  {{"momentum", 0.5},
                   {"learning_rate",
                    {{"class_name", "ExponentialDecay"},
                     {"config",
                      {{"initial_learning_rate", 0.5},
                       {"decay_steps", 3},
                       {"decay_rate", 0.5},
                       {"staircase", false}}}}}}}},
                "sparse_categorical_crossentropy", nlohmann::ordered_json::array());
  const OptimizerSlots slots = make_slots(model);
  const KerasArchive archive = unpacked(keras_archive(model, &slots, ""));
  const hdf5::File file = hdf5::File::open_image(archive.weights, "weights");
  EXPECT_EQ(file.dataset_info("/optimizer/vars/1").extents, (Shape{4, 5}));
  const auto config = nlohmann::ordered_json::parse(archive.config);
  EXPECT_EQ(config["compile_config"]["optimizer"]["config"]["learning_rate"]["module"],
            "keras.optimizers.schedules");
}

TEST(Keras3File, TheSameModelGivesTheSameBytes) {
  const Network model = make_model();
  const OptimizerSlots slots = make_slots(model);
  mallopt(M_PERTURB, 0x55);
  const std::vector<std::byte> first = keras_archive(model, &slots, "{}");
  mallopt(M_PERTURB, 0xaa);
  const std::vector<std::byte> second = keras_archive(make_model(), &slots, "{}");
  mallopt(M_PERTURB, 0);
  EXPECT_EQ(first, second);
  // 1980-01-01, 00:00:00, in the first member's header.
  const auto field = [&](std::size_t at) {
    return std::to_integer<int>(first[at]) | std::to_integer<int>(first[at + 1]) << 8;
  };
  EXPECT_EQ(field(10), 0);
  EXPECT_EQ(field(12), 0x21);
}

TEST(Keras3File, EveryFlippedBitOfTheMembersIsFound) {
  const TemporaryDirectory directory;
  save_model(directory / "m.keras", make_model(), nullptr, "");
  const std::string whole = test::bytes_of(directory / "m.keras");
  const std::size_t weights = whole.find("\x89HDF");
  for (const std::size_t offset : {whole.find("sequential"), weights + 8, weights + 4000}) {
    std::string damaged = whole;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 4);
    test::write_bytes(directory / "bad.keras", damaged);
    expect_error(kBad, {"bad.keras"}, [&] { load_model(directory / "bad.keras"); });
  }
}

TEST(Keras3File, NumbersLayersByClassInKerasOrder) {
  NetworkBuilder builder("m");
  const auto input = builder.input({4});
  // In the order in which nobody applies them.
  const auto late = builder.add("late", "Dense(3)"), side = builder.add("side", "Dense(3)"),
             early = builder.add("early", "Dense(5)");
  const auto sum = builder.add(std::make_unique<Merging>(Merge::kAdd));
  const auto left = builder.apply(late, {builder.apply(early, {input})});
  Network model = builder.build({builder.apply(sum, {left, builder.apply(side, {input})})});
  model.initialize(3);
  model.compile("adam", "mean_squared_error", {});
  const OptimizerSlots slots = make_slots(model);

  const KerasArchive archive = unpacked(keras_archive(model, &slots, ""));
  const hdf5::File file = hdf5::File::open_image(archive.weights, "weights");
  EXPECT_EQ(file.dataset_info("/layers/dense/vars/0").extents, (Shape{4, 5}));    // early
  EXPECT_EQ(file.dataset_info("/layers/dense_1/vars/0").extents, (Shape{5, 3}));  // late
  EXPECT_EQ(file.dataset_info("/layers/dense_2/vars/0").extents, (Shape{4, 3}));  // side
  EXPECT_EQ(file.dataset_info("/optimizer/vars/6").extents, (Shape{5, 3}));
  const auto config = nlohmann::ordered_json::parse(archive.config);
  EXPECT_EQ(config["registered_name"], "Functional");
  const auto& add = config["config"]["layers"].back();
  EXPECT_EQ(add["module"], "keras.layers");
  EXPECT_EQ(add["inbound_nodes"][0]["args"][0].size(), 2u);  // one list

  const TemporaryDirectory directory;
  save_model(directory / "m.keras", model, &slots, "");
  const LoadedModel loaded = load_model(directory / "m.keras");
  ASSERT_TRUE(loaded.slots);
  for (const auto& layer : model.layers())
    for (const auto& other : loaded.model.layers()) {
      if (other->name() != layer->name()) continue;
      for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
        const Parameter &one = layer->parameters()[i], &two = other->parameters()[i];
        EXPECT_TRUE(std::ranges::equal(one.value, two.value)) << layer->name();
        EXPECT_EQ(slots[1][static_cast<std::size_t>(one.offset)],
                  (*loaded.slots)[1][static_cast<std::size_t>(two.offset)]);
      }
    }
}

TEST(Keras3File, HasNoPlaceForKeras2sHardSigmoid) {
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(R"({
    "class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "m", "layers": [
      {"class_name": "Dense", "config": {"name": "one", "units": 3, "activation": "hard_sigmoid",
                                         "batch_input_shape": [null, 4]}},
      {"class_name": "LSTM", "config": {"name": "two", "units": 3,
                                        "recurrent_activation": "hard_sigmoid"}}]}})");
  const nlohmann::ordered_json dense = {{"class_name", "Sequential"},
                                        {"keras_version", "2.15.0"},
                                        {"config", {json["config"]["layers"][0]}}};
  expect_error(kBad, {"[one]", "Keras 2's hard_sigmoid"},
               [&] { keras_archive(model_from_json(dense), nullptr, ""); });
}

}  // namespace
}  // namespace lockstep
