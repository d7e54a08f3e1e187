#include "distributed/training/training_state.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

TEST(TrainingStateText, KeepsEveryNumberWithItsBits) {
  TrainingState state;
  state.epoch = 3;
  state.stopped = true;
  state.seed = std::numeric_limits<std::uint64_t>::max();
  EpochReport report;
  report.epoch = 3;
  report.loss = std::numeric_limits<double>::infinity();
  report.metrics = {{"accuracy", 0.1}, {"mae", std::numeric_limits<double>::denorm_min()}};
  report.validation_loss = std::numeric_limits<double>::quiet_NaN();
  report.validation_metrics = {{"accuracy", -std::numeric_limits<double>::infinity()},
                               {"mae", -0.0}};
  report.learning_rate = 1.0 / 3;
  report.train_seconds = 1e-300;
  report.samples_per_second = std::numeric_limits<double>::max();
  state.history = {EpochReport(), report};
  state.learning_rate = 1.0 / 7;
  state.identity = {
      {{"seed", "7"}, {"data", "a \"file\".h5"}}, {{"grain", "4"}}, {{"x", "9 rows"}}};
  state.callbacks = {{"early_stopping", "{\"best\": \"inf\"}"}, {"other", "any \"text\"\n"}};

  const TrainingState read = training_state_from_json(to_json_text(state));

  EXPECT_EQ(read.epoch, 3);
  EXPECT_TRUE(read.stopped);
  EXPECT_EQ(read.seed, state.seed);
  EXPECT_EQ(read.callbacks, state.callbacks);
  EXPECT_EQ(read.learning_rate, state.learning_rate);
  EXPECT_EQ(read.identity.options, state.identity.options);
  EXPECT_EQ(read.identity.trainer, state.identity.trainer);
  EXPECT_EQ(read.identity.inputs, state.identity.inputs);
  ASSERT_EQ(read.history.size(), 2u);
  EXPECT_FALSE(read.history[0].validation_loss);
  const EpochReport& last = read.history[1];
  EXPECT_EQ(last.epoch, 3);
  EXPECT_EQ(last.loss, report.loss);
  EXPECT_EQ(last.metrics, report.metrics);
  EXPECT_TRUE(std::isnan(last.validation_loss.value()));
  EXPECT_EQ(last.validation_metrics, report.validation_metrics);
  EXPECT_TRUE(std::signbit(last.validation_metrics[1].second));
  EXPECT_EQ(last.learning_rate, report.learning_rate);
  EXPECT_EQ(last.train_seconds, report.train_seconds);
  EXPECT_EQ(last.samples_per_second, report.samples_per_second);
  EXPECT_EQ(to_json_text(read), to_json_text(state));
}

TEST(TrainingStateText, IsRefusedIfItIsDamagedOrOfANewerFormat) {
  const std::string good = to_json_text(TrainingState{});
  const auto expect_refusal = [](const std::string& text, const std::string& word) {
    test::expect_error(ExitCode::kBadData, {"[training state]", word},
                       [&] { training_state_from_json(text); });
  };
  expect_refusal(good.substr(0, good.size() / 2), "");
  expect_refusal("", "");
  expect_refusal("[1, 2]", "");
  expect_refusal("{}", "format");
  std::string newer = good;
  newer.replace(newer.find("\"format\":2"), 10, "\"format\":4");
  expect_refusal(newer, "expected a format up to 3, got 4");
  std::string without_epoch = good;
  without_epoch.replace(without_epoch.find("\"epoch\""), 7, "\"other\"");
  expect_refusal(without_epoch, "epoch");
}

TEST(TrainingStateText, OfTheFormatBeforeHasNoIdentity) {
  const TrainingState read = training_state_from_json(
      R"({"format":1,"epoch":2,"stopped":false,"seed":5,"history":[],"callbacks":[["a","b"]]})");

  EXPECT_EQ(read.epoch, 2);
  EXPECT_EQ(read.seed, 5u);
  EXPECT_EQ(read.callbacks.size(), 1u);
  EXPECT_FALSE(read.identity.known());
  EXPECT_FALSE(read.learning_rate);
}

TrainingState state_after(std::int64_t epochs) {
  TrainingState state;
  state.epoch = epochs;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    state.history.emplace_back().epoch = epoch;
    state.history.back().metrics = {{"accuracy", 0.5}};
    state.history.back().validation_loss = 0.25;
  }
  state.callbacks = {{"early_stopping", "{}"}};
  state.identity = {{{"seed", "0"}}, {{"batch-size", "32"}}, {{"x", "60 rows"}}};
  return state;
}

TEST(TrainingStateText, IsRefusedIfItsNumbersCannotBeThoseOfATraining) {
  const auto expect_refusal = [](const std::string& word, const auto& change) {
    TrainingState state = state_after(2);
    change(state);
    test::expect_error(ExitCode::kBadData, {"[training state]", word},
                       [&] { training_state_from_json(to_json_text(state)); });
    test::expect_error(ExitCode::kBadData, {word}, [&] { check_training_state(state); });
  };
  expect_refusal("epochs done, got -1", [](TrainingState& s) { s.epoch = -1; });
  expect_refusal("epochs done", [](TrainingState& s) { s.epoch = 1'000'000'001; });
  expect_refusal("epochs done",
                 [](TrainingState& s) { s.epoch = std::numeric_limits<std::int64_t>::min(); });
  expect_refusal("learning rate >= 0, got -1", [](TrainingState& s) { s.learning_rate = -1; });
  expect_refusal("learning rate >= 0, got nan", [](TrainingState& s) {
    s.learning_rate = std::numeric_limits<double>::quiet_NaN();
  });
  expect_refusal("at most 1 epochs, got 2", [](TrainingState& s) { s.epoch = 1; });
  for (const auto& change : std::initializer_list<void (*)(EpochTotals&)>{
           [](EpochTotals& amid) { amid.steps = std::numeric_limits<std::int64_t>::max(); },
           [](EpochTotals& amid) { amid.rows = 1; },
           [](EpochTotals& amid) { amid.rows = std::numeric_limits<std::int64_t>::max(); },
           [](EpochTotals& amid) { amid.sums[0] = std::numeric_limits<double>::infinity(); },
           [](EpochTotals& amid) { amid.penalty = std::numeric_limits<double>::quiet_NaN(); },
           [](EpochTotals& amid) { amid.seconds = -1; }})
    expect_refusal("steps amid epoch 3", [&](TrainingState& s) {
      s.amid = {.steps = 2, .sums = {0.5}, .rows = 12};
      change(s.amid);
    });
  expect_refusal("learning rate >= 0, got inf", [](TrainingState& s) {
    s.amid = {.steps = 1, .sums = {0.5}, .rows = 6};
    s.next_learning_rate = std::numeric_limits<double>::infinity();
  });
  expect_refusal("cut short", [](TrainingState& s) {
    s.amid = {.steps = 1, .cut_short = true, .sums = {0.5}, .rows = 6};
  });
  expect_refusal("in order, got epoch -4", [](TrainingState& s) { s.history[0].epoch = -4; });
  expect_refusal("in order, got epoch 1 after 1", [](TrainingState& s) { s.history[1].epoch = 1; });
  expect_refusal("in order, got epoch 3", [](TrainingState& s) { s.history[1].epoch = 3; });

  for (const std::int64_t step : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    TrainingState state = state_after(2);
    state.iterations = step;
    test::expect_error(ExitCode::kBadData, {"steps done"}, [&] { check_training_state(state); });
  }
}

TEST(TrainingStateText, AmidAnEpochHasSteps) {
  TrainingState state = state_after(2);
  state.stopped = true;
  state.amid = {.steps = 1, .cut_short = true, .sums = {}, .rows = 6};
  std::string text = to_json_text(state);
  EXPECT_EQ(training_state_from_json(text).amid.steps, 1);
  text.replace(text.find("\"steps\":1"), 9, "\"steps\":0");
  test::expect_error(ExitCode::kBadData, {"expected steps amid epoch 3, got none"},
                     [&] { training_state_from_json(text); });
}

TEST(TrainingStateText, TakesNoOtherTypesForItsNumbers) {
  const std::string good = to_json_text(state_after(2));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"epoch\":2", "\"epoch\":2.5"},
           {"\"epoch\":2", "\"epoch\":true"},
           {"\"epoch\":2", "\"epoch\":18446744073709551615"},
           {"\"epoch\":2", "\"epoch\":null"},
           {"\"seed\":0", "\"seed\":-1"},
           {"\"stopped\":false", "\"stopped\":0"},
           {"\"format\":2", "\"format\":[[1]]"},
           {"[\"x\",\"60 rows\"]", "[\"x\"]"}}) {
    std::string text = good;
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
    SCOPED_TRACE(to);
    test::expect_error(ExitCode::kBadData, {"[training state]"},
                       [&] { training_state_from_json(text); });
  }
}

TEST(TrainingStateText, IsReadOrRefusedHoweverItIsMutated) {
  const std::string good = to_json_text(state_after(3));
  const std::vector<std::string> pieces = {
      "-", "9999999999999999999", "[", "]", "{", "}", "\"", "null", "true", "1e9", "\\u0000", ","};
  std::mt19937 random(9);
  const auto below = [&](std::size_t limit) { return random() % limit; };
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (std::size_t change = 0; change <= below(3); ++change) {
      const std::size_t at = below(text.size());
      switch (below(5)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + below(8));
          break;
        case 2:
          text.insert(at, pieces[below(pieces.size())]);
          break;
        case 3:
          text.insert(at, text.substr(below(text.size()), below(40)));
          break;
        default:
          text[at] = static_cast<char>('0' + below(10));
          break;
      }
    }
    try {
      check_training_state(training_state_from_json(text));
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kBadData) << text;
    }
  }
  EXPECT_GT(read, 100);  // some changes do no harm, or it would not be a reader's test
}

TEST(TrainingStateText, IsNoWayToExhaustTheStack) {
  const std::string deep(100'000, '[');
  for (const std::string& text : {deep, "{\"format\":" + deep, "{\"a\":" + deep + "1"})
    test::expect_error(ExitCode::kBadData, {"levels of nesting"},
                       [&] { training_state_from_json(text); });
}

}  // namespace
}  // namespace lockstep
