#include <fstream>
#include <nlohmann/json.hpp>

#include "distributed/training/evaluator.hpp"
#include "distributed/training/trainer.hpp"
#include "io/import/import.hpp"
#include "io/keras/history.hpp"
#include "io/table/import_table.hpp"
#include "src/core/hash.hpp"
#include "src/core/parallel.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/support/floating_point.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// A program may round as it likes and trap what it likes: no bit of the library's results changes,
/// no trap is sprung, and it gets back what it had.
namespace lockstep {
namespace {

using test::world;

/// Its first weights are zeros, so that one that a denormal gradient has moved is told from one
/// that it has not.
constexpr const char* kNetwork =
    "Dense(7, tanh, kernel_initializer=zeros, kernel_regularizer=l2(0.013)), Dropout(0.23), "
    "Dense(5, selu), Dense(3, softmax)";
constexpr std::int64_t kColumns = 4;
/// Large enough that its products are shared out over threads, on four ranks too.
constexpr const char* kWideNetwork =
    "Dense(1024, tanh, kernel_initializer=zeros), Dense(3, softmax)";
constexpr std::int64_t kWideColumns = 256;

/// Rows with a feature of denormal numbers, and a number whose square is one.
test::TinyData rows_of(std::int64_t columns) {
  test::TinyData data = test::classified_rows(40, columns, 3);
  for (std::size_t i = 0; i < data.x.size(); i += static_cast<std::size_t>(columns))
    data.x[i] = 1e-39f;
  data.x[1] = 1e-21f;
  return data;
}

Network compiled_network(const char* layers, const test::TinyData& data) {
  Network model = model_from_layers_text(layers);
  model.build(data.x_shape);
  const nlohmann::ordered_json schedule = {
      {"class_name", "ExponentialDecay"},
      {"config", {{"initial_learning_rate", 0.03}, {"decay_steps", 3}, {"decay_rate", 0.9}}}};
  model.compile({{"class_name", "Adam"}, {"config", {{"learning_rate", schedule}}}},
                nlohmann::ordered_json("sparse_categorical_crossentropy"),
                nlohmann::ordered_json::array({"accuracy"}));
  return model;
}

std::string hash_of_text(const std::string& text) {
  const auto hash = fast_hash(std::as_bytes(std::span(text)));
  return to_hex(std::as_bytes(std::span(hash)));
}

/// All that a training with every part of the library gives, as text.
std::string everything(const char* layers, const test::TinyData& data,
                       const std::filesystem::path& file) {
  const Communicator communicator = world();
  Network model = compiled_network(layers, data);
  Trainer trainer(model, world(), {.epochs = 3, .batch_size = 16, .validation_split = 0.2});
  trainer.fit(data.view());
  std::string text = model.weights_sha256();
  for (const EpochReport& report : trainer.history())
    text +=
        fmt::format(" {:a} {:a} {:a}", report.loss, *report.validation_loss, report.learning_rate);
  text += fmt::format(" {:a}", trainer.evaluate(data.view()).loss);
  trainer.save(file);

  LoadedModel loaded = load_model(file);
  text += fmt::format(" {}", loaded.model.weights_sha256());
  predict(loaded.model, communicator, data.view().x, 8, [&](std::int64_t, ConstMatrix rows) {
    for (const float value : rows.flat()) text += fmt::format(" {:a}", value);
  });
  return communicator.broadcast(text);
}

class Environments : public testing::Test {
 protected:
  /// That `call` gives the same text in all environments, which it leaves as they were.
  template <class Call>
  void expect_the_same(const Call& call) {
    const std::string expected = call();
    for (const auto& [name, make] : test::foreign_environments()) {
      SCOPED_TRACE(name);
      std::string text;
      bool restored = false;
      {
        const test::ForeignEnvironment foreign(make);
        const FloatingPointState before = FloatingPointState::of_this_thread();
        text = call();
        restored = FloatingPointState::of_this_thread() == before;
      }
      EXPECT_EQ(text, expected);
      EXPECT_TRUE(restored);
    }
  }
  const Communicator communicator_ = world();
  const test::SharedDirectory directory_{communicator_};
  const std::filesystem::path file_ = directory_ / "model.h5";
};

TEST_F(Environments, ChangeNoBitOfATraining) {
  const test::TinyData data = rows_of(kColumns);
  expect_the_same([&] { return everything(kNetwork, data, file_); });
}

TEST_F(Environments, ChangeNoBitOnSeveralThreads) {
  const test::TinyData data = rows_of(kWideColumns);
  const std::string on_one = everything(kWideNetwork, data, file_);
  expect_the_same([&] {
    for (const int threads : {2, 3}) {  // the third one is made here, and computes as this one does
      set_threads(threads);
      parallel_for(threads, [](std::int64_t) {});
    }
    return everything(kWideNetwork, data, file_);
  });
  EXPECT_EQ(everything(kWideNetwork, data, file_), on_one);
  set_threads(1);
}

TEST_F(Environments, ChangeNoNumberThatIsRead) {
  const std::filesystem::path table = directory_ / "table.csv";
  if (communicator_.is_root())
    std::ofstream(table) << "0.1,1e-40,0.30000000000000004,1e-40,1\n"
                            "123456.789,-0.7,1e22,3e-40,0\n"
                            "0.3,,7,,1\n";
  communicator_.barrier();
  expect_the_same([&] {
    TableOptions options;
    options.label = "-1";
    options.missing = {"mean"};
    const DatasetArrays read = import_table(table, "", options, {}, Unknown::kRefuse).arrays;
    std::string text = to_hex(read.x_train->bytes) + to_hex(read.y_train->bytes);
    for (const char* number : {"0.1", "1e-300", "0.7", "123456.789e-7", "3.3333333333333335"}) {
      Network model = model_from_layers_text(
          fmt::format("Rescaling({}), Dense(3, kernel_regularizer=l2({}))", number, number));
      model.build({4});
      text += model_to_json(model).dump();
      Network again = model_from_json_text(model_to_json(model).dump());
      text += model_to_json(again).dump();
    }
    return hash_of_text(text);
  });
}

TEST_F(Environments, ChangeNoPictureAndNoHistory) {
  expect_the_same([] {
    const Glyphs glyphs = synthetic_glyphs(20, 7);
    std::string text = to_hex(glyphs.x.bytes);
    EpochReport report;
    report.epoch = 1;
    report.loss = 0.1;
    report.validation_loss = 3.3e-301;
    report.learning_rate = 0.7;
    report.train_seconds = 123456.789;
    const std::string csv = history_to_csv({report});
    text += csv + fmt::format("{:a}", *history_from_csv(csv).front().validation_loss);
    return hash_of_text(text);
  });
}

TEST_F(Environments, ChangeNoFirstWeight) {
  expect_the_same([&] {
    std::string text;
    for (const char* initializer :
         {"glorot_uniform", "he_normal", "orthogonal", "truncated_normal"}) {
      Network model =
          model_from_layers_text(fmt::format("Dense(13, kernel_initializer={})", initializer));
      model.build({17});
      model.initialize(5);
      text += model.weights_sha256();
    }
    return text;
  });
}

TEST_F(Environments, AreRestoredWhenTrainingFails) {
  for (const auto& [name, make] : test::foreign_environments()) {
    SCOPED_TRACE(name);
    Network model = test::linear_network(11, "mse", 1e30);
    const test::TinyData data = test::unit_rows(std::vector<float>(11, 1e5f));
    bool restored = false;
    ExitCode code = ExitCode::kDone;
    {
      const test::ForeignEnvironment foreign(make);
      const FloatingPointState before = FloatingPointState::of_this_thread();
      try {
        Trainer(model, world(), {.epochs = 50, .batch_size = 3}).fit(data.view());
      } catch (const CollectiveError& error) {
        code = error.code();
      }
      restored = FloatingPointState::of_this_thread() == before;
    }
    EXPECT_EQ(code, ExitCode::kNumerical);
    EXPECT_TRUE(restored);
  }
}

}  // namespace
}  // namespace lockstep
