#include "distributed/training/training_state.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "io/keras/exact_json.hpp"
#include "src/core/error.hpp"
#include "src/core/hash.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 3;  // amid an epoch; 1 had no identity and no learning rate
constexpr int kBetweenEpochs = 2;
constexpr int kMaxDepth = 16;  // of JSON
constexpr std::int64_t kMostEpochs = 1'000'000'000;
constexpr std::int64_t kMostSteps = 1'000'000'000'000'000;
constexpr std::int64_t kMostRows = 1'000'000'000'000'000'000;

Json facts_to_json(const Facts& facts) {
  Json json = Json::array();
  for (const auto& [name, value] : facts) json.push_back({name, value});
  return json;
}

std::vector<std::pair<std::string, std::string>> pairs_from_json(const Json& json) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const Json& entry : json)
    pairs.emplace_back(entry.at(0).get<std::string>(), entry.at(1).get<std::string>());
  return pairs;
}

/// nlohmann would cut fractions off and take true for 1.
template <class Integer>
Integer integer_from(const Json& json, const char* key) {
  const Json& value = json.at(key);
  const bool fits = std::is_signed_v<Integer>
                        ? value.is_number_integer() &&
                              (!value.is_number_unsigned() || value.get<std::uint64_t>() >> 63 == 0)
                        : value.is_number_unsigned();
  check(fits, ExitCode::kBadData, "[training state] expected an integer for {}, got {}", key,
        value.is_primitive() ? printable(value.dump(-1, ' ', true, Json::error_handler_t::replace))
                             : value.type_name());
  return value.get<Integer>();
}

Json parse(const std::string& text) {
  return Json::parse(text, [](int depth, Json::parse_event_t, Json&) {
    check(depth <= kMaxDepth, ExitCode::kBadData,
          "[training state] expected at most {} levels of nesting, got more", kMaxDepth);
    return true;
  });
}

TrainingState state_from(const Json& json) {
  const auto format = integer_from<std::int64_t>(json, "format");
  check(format >= 1 && format <= kFormat, ExitCode::kBadData,
        "[training state] expected a format up to {}, got {}; a newer version of Lockstep may have "
        "written "
        "it",
        kFormat, format);
  TrainingState state;
  state.epoch = integer_from<std::int64_t>(json, "epoch");
  state.stopped = json.at("stopped").get<bool>();
  state.seed = integer_from<std::uint64_t>(json, "seed");
  state.history = history_from_json(json.at("history"));
  state.callbacks = pairs_from_json(json.at("callbacks"));
  if (format == 1) return state;
  if (json.contains("learning_rate")) state.learning_rate = exact_double(json.at("learning_rate"));
  const Json& identity = json.at("identity");
  state.identity = {pairs_from_json(identity.at("options")),
                    pairs_from_json(identity.at("trainer")),
                    pairs_from_json(identity.at("inputs"))};
  if (format <= kBetweenEpochs) return state;
  const Json& amid = json.at("amid_epoch");
  state.amid = {.steps = integer_from<std::int64_t>(amid, "steps"),
                .cut_short = amid.at("cut_short").get<bool>(),
                .sums = {},
                .rows = integer_from<std::int64_t>(amid, "rows"),
                .penalty = exact_double(amid.at("penalty")),
                .seconds = exact_double(amid.at("seconds"))};
  for (const Json& sum : amid.at("sums")) state.amid.sums.push_back(exact_double(sum));
  if (amid.contains("next_learning_rate"))
    state.next_learning_rate = exact_double(amid.at("next_learning_rate"));
  return state;
}

}  // namespace

void check_training_state(const TrainingState& state) {
  check(state.epoch >= 0 && state.epoch <= kMostEpochs, ExitCode::kBadData,
        "[training state] expected from 0 to {} epochs done, got {}", kMostEpochs, state.epoch);
  check(state.iterations >= 0 && state.iterations <= kMostSteps, ExitCode::kBadData,
        "[training state] expected from 0 to {} steps done, got {}", kMostSteps, state.iterations);
  for (const std::optional<double>& rate : {state.learning_rate, state.next_learning_rate})
    check(!rate || (std::isfinite(*rate) && *rate >= 0), ExitCode::kBadData,
          "[training state] expected a finite learning rate >= 0, got {}", rate.value_or(0));
  const EpochTotals& amid = state.amid;
  check(amid.steps != 0 || (!amid.cut_short && amid.sums.empty() && amid.rows == 0 &&
                            amid.penalty == 0 && amid.seconds == 0 && !state.next_learning_rate),
        ExitCode::kBadData, "[training state] expected steps amid epoch {}, got none",
        state.epoch + 1);
  check(!amid.cut_short || state.stopped, ExitCode::kBadData,
        "[training state] expected an epoch cut short to be the last one, got one that is not");
  check(amid.steps >= 0 && amid.steps <= kMostSteps && amid.rows >= amid.steps &&
            amid.rows <= kMostRows && std::isfinite(amid.seconds) && amid.seconds >= 0 &&
            std::isfinite(amid.penalty) &&
            std::ranges::all_of(amid.sums, [](double sum) { return std::isfinite(sum); }),
        ExitCode::kBadData,
        "[training state] expected steps amid epoch {} with rows, finite sums and seconds, got {} "
        "steps with {} rows, sums {}, penalty {}, seconds {}",
        state.epoch + 1, amid.steps, amid.rows, fmt::join(amid.sums, ", "), amid.penalty,
        amid.seconds);
  check(static_cast<std::int64_t>(state.history.size()) <= state.epoch, ExitCode::kBadData,
        "[training state] expected a history of at most {} epochs, got {}", state.epoch,
        state.history.size());
  std::int64_t before = -1;
  for (const EpochReport& report : state.history) {
    check(
        report.epoch > before && report.epoch <= state.epoch, ExitCode::kBadData,
        "[training state] expected the history of epochs up to {} in order, got epoch {} after {}",
        state.epoch, report.epoch, before);
    before = report.epoch;
  }
}

std::string to_json_text(const TrainingState& state) {
  const bool amid_epoch = state.amid.steps > 0;
  Json json = {{"format", amid_epoch ? kFormat : kBetweenEpochs},
               {"epoch", state.epoch},
               {"stopped", state.stopped},
               {"seed", state.seed}};
  if (state.learning_rate) json["learning_rate"] = exact_json(*state.learning_rate);
  json["history"] = history_to_json(state.history);
  json["callbacks"] = facts_to_json(state.callbacks);
  json["identity"] = {{"options", facts_to_json(state.identity.options)},
                      {"trainer", facts_to_json(state.identity.trainer)},
                      {"inputs", facts_to_json(state.identity.inputs)}};
  if (amid_epoch) {
    Json sums = Json::array();
    for (const double sum : state.amid.sums) sums.push_back(exact_json(sum));
    Json& amid = json["amid_epoch"] = {{"steps", state.amid.steps},
                                       {"cut_short", state.amid.cut_short},
                                       {"sums", std::move(sums)},
                                       {"rows", state.amid.rows},
                                       {"penalty", exact_json(state.amid.penalty)},
                                       {"seconds", exact_json(state.amid.seconds)}};
    if (state.next_learning_rate)
      amid["next_learning_rate"] = exact_json(*state.next_learning_rate);
  }
  return json.dump();
}

TrainingState training_state_from_json(const std::string& text) {
  try {
    TrainingState state = state_from(parse(text));
    check_training_state(state);
    return state;
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::kBadData, "[training state] expected what a checkpoint of Lockstep holds: {}",
         printable(error.what()));
  }
}

void check_same_run(const TrainingState& state, const RunIdentity& here) {
  Facts there = state.identity.trainer;
  // The rate that a callback has set counts, whichever of the two the model was compiled with.
  if (state.learning_rate)
    for (Fact& fact : there)
      if (fact.first == "learning-rate")
        fact.second = find_fact(here.trainer, fact.first).value_or("");
  const auto options = differences(there, here.trainer);
  check_collectively(options.empty(), ExitCode::kUsage,
                     "[trainer] expected a state of the same training to go on from, got one of "
                     "another: {}; take those values, or empty TrainingState::identity",
                     fmt::join(options, "; "));
  const auto inputs = differences(state.identity.inputs, here.inputs);
  check_collectively(inputs.empty(), ExitCode::kBadData,
                     "[trainer] expected the rows that the state was trained on, got others: {}; "
                     "take those rows, or empty TrainingState::identity",
                     fmt::join(inputs, "; "));
}

std::string describe(const TrainingState& state) {
  std::vector<std::uint64_t> hashes;
  for (const auto& part : {&state.slots, &state.states})
    for (const auto& floats : *part)
      hashes.push_back(fast_hash(std::as_bytes(std::span<const float>(floats)))[0]);
  const std::string text = to_json_text(state);
  hashes.push_back(fast_hash(std::as_bytes(std::span(text)))[0]);
  return fmt::format("epoch {}, step {}, hash {}", state.epoch, state.iterations,
                     to_hex(std::as_bytes(std::span(hashes))));
}

}  // namespace lockstep
