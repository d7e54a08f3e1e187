#include "launch/train/network_source.hpp"

#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/keras/keras_file.hpp"
#include "launch/train/train_compile.hpp"
#include "launch/train/training_facts.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

Network read_network(const TrainSettings& settings) {
  if (!settings.layers.empty()) return {model_from_layers_text(settings.layers), {}};
  if (settings.from.empty()) {
    const std::string text = read_file(settings.model);
    try {
      return {model_from_json_text(text), {}};
    } catch (const Error& error) {
      fail(error.code(), "[{}] {}", printable(settings.model), error.what());
    }
  }
  LoadedModel loaded = load_model(settings.from);
  const bool goes_on = loaded.model.compiled() && loaded.slots &&
                       keeps_optimizer(settings, loaded.model.optimizer().to_json());
  Network network{std::move(loaded.model), {}};
  if (goes_on) {
    network.start.emplace();
    network.start->seed = static_cast<std::uint64_t>(settings.seed);
    network.start->iterations = loaded.iterations;
    network.start->slots = std::move(*loaded.slots);
  }
  return network;
}

/// For rows of this shape, where the network itself does not say its input.
void build_for(const Shape& row_shape, const TrainSettings& settings, Sequential& model) {
  const std::string source = settings.layers.empty() ? settings.model : "--layers";
  try {
    model.build(row_shape.empty() ? Shape{1} : row_shape);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", printable(source), error.what());
  }
}

/// Before compile(), which knows less: an error of a metric would hide the mistake.
void refuse_senseless(const NetworkFacts& network) {
  for (const Advice& advice : advice_on(network))
    if (advice.refusal) throw Error(*advice.refusal, advice.text);
}

}  // namespace

Network make_network(const TrainSettings& settings, const Shape& row_shape) {
  Network network = read_network(settings);
  if (!network.model.built()) build_for(row_shape, settings, network.model);
  try {
    refuse_senseless(facts_of(network.model, *make_loss(loss_by(settings, network.model))));
    compile_by(settings, network.model);
  } catch (const Error& error) {
    fail(ExitCode::kUsage, "{}", error.what());  // what does not fit are the options' words
  }
  const std::size_t slots = network.model.optimizer().slot_names().size();
  if (network.start && network.start->slots.size() != slots) network.start.reset();
  return network;
}

}  // namespace lockstep
