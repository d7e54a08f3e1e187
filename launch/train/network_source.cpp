#include "launch/train/network_source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/keras/keras_file.hpp"
#include "io/keras/keras_weights.hpp"
#include "launch/cli/model_source.hpp"
#include "launch/train/train_compile.hpp"
#include "src/core/error.hpp"
#include "src/core/json_text.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json parse_training_config(const std::string& text) {
  return text.empty() ? Json() : parse_json(text, "the attribute training_config");
}

/// What does not fit are the options' words, unless it is the file's.
std::string compile_by_options(const TrainSettings& settings, const Json& saved, Network& model) {
  try {
    return compile_by(settings, saved, model);
  } catch (const ProblemsError&) {
    throw;
  } catch (const Error& error) {
    fail(ExitCode::kUsage, "{}", error.what());
  }
}

void check_trainable(const NetworkRemarks& remarks, const std::string& source) {
  check(remarks.training.empty(), ExitCode::kBadData,
        "[{}] cannot be trained here, only evaluated and applied: {}", printable(source),
        remarks.training.text());
}

Transfer transfer_of(const TrainSettings& settings) {
  return {split_names(settings.freeze), split_names(settings.unfreeze), settings.replace_head};
}

/// The network's layers as the options want them.
void transfer_by(const TrainSettings& settings, NetworkSource& network) {
  const Transfer how = transfer_of(settings);
  if (how.changes_nothing()) return;
  TransferResult result = transfer(network.model, how, settings.training.seed);
  network.model = std::move(result.network);
  network.transferred = std::move(result.layers);
}

/// Trains on where the file's network stands.
void go_on_from(const TrainSettings& settings, NetworkSource& network, LoadedModel loaded) {
  network.start.emplace();
  network.start->seed = settings.training.seed;
  network.start->iterations = loaded.iterations;
  network.start->slots = std::move(*loaded.slots);
}

NetworkSource from_file(const TrainSettings& settings, const Shape& row_shape) {
  std::string fresh, training_config;
  const bool transfers = !transfer_of(settings).changes_nothing();
  const auto compile = [&](Network& model, const std::string& config) {
    training_config = config;
    if (!transfers) fresh = compile_by_options(settings, parse_training_config(config), model);
  };
  LoadedModel loaded = load_model(settings.from, compile, row_shape);
  check_trainable(loaded.remarks, settings.from);
  NetworkSource network{std::move(loaded.model), {}, std::move(loaded.remarks.notes)};
  for (std::string& note : loaded.remarks.saving_notes) network.notes.push_back(std::move(note));
  transfer_by(settings, network);
  if (transfers) {
    fresh = compile_by_options(settings, parse_training_config(training_config), network.model);
    if (fresh.empty() && loaded.has_optimizer_state)
      fresh = fmt::format("a fresh {} for the layers that are trained now",
                          network.model.optimizer().class_name());
  } else if (fresh.empty() && loaded.slots && loaded.has_training_config) {
    go_on_from(settings, network, std::move(loaded));
  } else if (fresh.empty() && loaded.has_optimizer_state) {
    fresh = fmt::format("a fresh {}: the optimizer's state in the file does not fit it",
                        network.model.optimizer().class_name());
  }
  if (!network.start) network.model.optimizer().set_iterations(0);
  if (!fresh.empty()) network.notes.push_back(fresh);
  for (std::string& note : network.notes)
    note = fmt::format("{}: {}", printable(settings.from), note);
  return network;
}

/// The network's layers with weights, all of them kept.
std::vector<TransferredLayer> kept_layers(const Network& model) {
  std::vector<TransferredLayer> layers;
  for (const auto& layer : model.layers()) {
    std::int64_t weights = 0;
    for (const Parameter& parameter : layer->parameters())
      weights += element_count(parameter.shape);
    if (weights > 0)
      layers.push_back({layer->name(), layer->class_name(), weights, !layer->trainable(),
                        TransferredLayer::Weights::kKept});
  }
  return layers;
}

/// What of them is not kept, since the file with weights did not fit; and what that has left over.
void note_mismatch(const MatchedLayers& matched, std::vector<TransferredLayer>& layers) {
  using Weights = TransferredLayer::Weights;
  for (TransferredLayer& layer : layers)
    if (layer.from == Weights::kKept &&
        std::ranges::find(matched.drawn, layer.name) != matched.drawn.end())
      layer.from = Weights::kNew;
  for (const std::string& name : matched.left)
    layers.push_back({name, "in the file", 0, false, Weights::kLeftBehind});
}

NetworkSource from_words(const TrainSettings& settings, const Shape& row_shape) {
  const ModelSource source{"", settings.model, settings.layers, settings.weights};
  MatchedLayers matched;
  LoadedModel read = settings.skip_mismatch
                         ? draw_network(source, row_shape, settings.training.seed)
                         : read_network(source, row_shape);
  if (settings.skip_mismatch)
    matched = load_matching_weights(settings.weights, read.remarks, read.model);
  NetworkSource network{std::move(read.model), {}, std::move(read.remarks.notes)};
  for (std::string& note : read.remarks.saving_notes) network.notes.push_back(std::move(note));
  for (std::string& note : network.notes)
    note = fmt::format("{}: {}", printable(settings.model), note);
  check_trainable(read.remarks, settings.model);
  if (settings.skip_mismatch) network.transferred = kept_layers(network.model);
  transfer_by(settings, network);
  note_mismatch(matched, network.transferred);
  compile_by_options(settings, Json(), network.model);
  return network;
}

}  // namespace

NetworkSource make_network(const TrainSettings& settings, const Shape& row_shape) {
  return settings.from.empty() ? from_words(settings, row_shape) : from_file(settings, row_shape);
}

}  // namespace lockstep
