#include "tests/random/variant_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "distributed/training/evaluator.hpp"
#include "distributed/training/trainer.hpp"
#include "io/keras/keras_file.hpp"
#include "src/core/error.hpp"
#include "src/core/hash.hpp"
#include "src/core/parallel.hpp"
#include "src/model/layers_text.hpp"
#include "tests/random/environment.hpp"

namespace lockstep::test {
namespace {

std::string hash_of(std::span<const std::byte> bytes) {
  const auto hash = fast_hash(bytes);
  return to_hex(std::as_bytes(std::span(hash))).substr(0, 16);
}
template <class T>
std::string hash_of(const std::vector<T>& values) {
  return hash_of(std::as_bytes(std::span(values)));
}

std::string hash_of(History history) {
  for (EpochReport& report : history)
    report.train_seconds = report.validation_seconds = report.samples_per_second = 0;
  const std::string text = history_to_csv(history);
  return hash_of(std::as_bytes(std::span(text)));
}

std::string hash_of(const OptimizerSlots& slots) {
  std::string text;
  for (const auto& slot : slots) text += hash_of(slot);
  return hash_of(std::as_bytes(std::span(text)));
}

std::string hash_of(const Evaluation& evaluation) {
  std::vector<double> numbers = {evaluation.loss};
  for (const auto& [name, value] : evaluation.metrics) numbers.push_back(value);
  return hash_of(numbers);
}

/// Saves behind every epoch: training ends with averages of the weights, from which it could not go
/// on.
class SaveEpochs final : public Callback {
 public:
  explicit SaveEpochs(std::filesystem::path file) : file_(std::move(file)) {}
  bool reads_weights_in_steps() const override { return false; }
  void on_epoch_end(Trainer& trainer, const EpochReport&) override { trainer.save(file_); }

 private:
  std::filesystem::path file_;
};

/// A variant on the ranks that take part in it.
class VariantRun {
 public:
  VariantRun(const Configuration& configuration, const Variant& variant,
             const SearchSettings& settings, const Communicator& members)
      : c_(configuration), v_(variant), settings_(settings), members_(members) {}

  Network new_model() const {
    Network model = model_from_layers_text(c_.layers);
    model.build(c_.input);
    model.compile(c_.optimizer, c_.loss, c_.metrics);
    return model;
  }

  /// Trains to the stop and saves the state.
  void train_until_stop(const std::filesystem::path& file) const {
    Network model = new_model();
    in_environment([&] {
      Trainer trainer(model, Communicator(members_.get()), options(v_.stop_after));
      const bool averages = model.optimizer().average_slot().has_value();
      fit(trainer, nullptr, averages ? std::make_shared<SaveEpochs>(file) : nullptr);
      if (!averages) trainer.save(file);
    });
  }

  /// Trains to the end, from the start or from `state`; returns the hashes.
  std::string train(Network model, const TrainingState* state) const {
    if (settings_.fast) model.set_numerics(Numerics::kFast);
    std::string text;
    in_environment([&] {
      Trainer trainer(model, Communicator(members_.get()), options(c_.options.epochs));
      const History history = fit(trainer, state);
      const Evaluation evaluation = trainer.evaluate(c_.train());
      const std::string predictions = predictions_of(model);
      const TrainingState end = trainer.state();
      text = fmt::format("weights {} optimizer {} {} history {} evaluation {} predictions {}",
                         model.weights_sha256().substr(0, 16), end.iterations, hash_of(end.slots),
                         hash_of(history), hash_of(evaluation), predictions);
    });
    return text;
  }

 private:
  void in_environment(const std::function<void()>& action) const {
    const Environment environment(settings_.environments ? v_.environments : 0, members_.rank());
    action();
    if (!environment.is_intact()) {
      throw std::runtime_error("the caller's floating-point environment was not restored");
    }
  }

  TrainOptions options(std::int64_t epochs) const {
    TrainOptions options = c_.options;
    options.epochs = epochs;
    options.sync = v_.sync;
    options.bucket_floats = v_.bucket_floats;
    options.validate_on_root = v_.validate_on_root;
    options.check_replicas_every = settings_.fast ? 0 : v_.check_replicas_every;
    options.verify_data = v_.verify_data;
    options.profile = v_.profile;
    if (settings_.fast) options.numerics = Numerics::kFast;
    return options;
  }

  History fit(Trainer& trainer, const TrainingState* state,
              std::shared_ptr<Callback> last = nullptr) const {
    if (c_.early_stopping) {
      trainer.add_callback(std::make_shared<EarlyStopping>(*c_.early_stopping));
    }
    if (last) trainer.add_callback(std::move(last));
    if (state != nullptr) trainer.restore(*state);
    return c_.validation_rows > 0 ? trainer.fit(c_.train(), c_.validation())
                                  : trainer.fit(c_.train());
  }

  std::string predictions_of(const Network& model) const {
    std::vector<float> numbers;
    predict(model, members_, c_.train().x, v_.predict_rows, [&](std::int64_t, ConstMatrix rows) {
      numbers.insert(numbers.end(), rows.flat().begin(), rows.flat().end());
    });
    return members_.broadcast(hash_of(numbers));  // rank 0 has them
  }

  const Configuration& c_;
  const Variant& v_;
  const SearchSettings& settings_;
  const Communicator& members_;
};

/// `action`, or what it throws.
std::string guarded(const std::function<std::string()>& action) {
  try {
    return action();
  } catch (const lockstep::Error& error) {
    return fmt::format("code {}", static_cast<int>(error.code()));
  } catch (const std::exception& error) {
    return fmt::format("not designed: {}", error.what());
  }
}

/// What the ranks with a text say; every rank gets it.
std::string agreed(const Communicator& world, const std::string& mine) {
  std::string said;
  for (const std::string& text : world.all_gather(mine)) {
    if (text.empty() || text == said) continue;
    said += said.empty() ? text : " / other ranks: " + text;
  }
  return said;
}

TrainingState state_of(const LoadedModel& loaded) {
  TrainingState state = training_state_from_json(loaded.training_state);
  state.iterations = loaded.iterations;
  if (loaded.slots) state.slots = *loaded.slots;
  return state;
}

}  // namespace

std::string run_variant(const Communicator& world, const Configuration& configuration,
                        const Variant& variant, const SearchSettings& settings,
                        const std::filesystem::path& file) {
  set_threads(variant.threads);
  const auto rank = static_cast<std::size_t>(world.rank());
  const bool stops = variant.stop_after > 0;
  const Communicator members = world.split(variant.members[rank] ? 1 : 0);
  std::string mine;
  if (variant.members[rank]) {
    const VariantRun run(configuration, variant, settings, members);
    mine = guarded([&]() -> std::string {
      if (!stops) return run.train(run.new_model(), nullptr);
      run.train_until_stop(file);
      return "";
    });
  }
  const std::string first = agreed(world, mine);
  if (!stops || !first.empty()) return first;

  const Communicator later = world.split(variant.later_members[rank] ? 1 : 0);
  if (variant.later_members[rank]) {
    const VariantRun run(configuration, variant, settings, later);
    mine = guarded([&] {
      LoadedModel loaded = load_model(file);
      const TrainingState state = state_of(loaded);
      return run.train(std::move(loaded.model), &state);
    });
  }
  return agreed(world, mine);
}

}  // namespace lockstep::test
