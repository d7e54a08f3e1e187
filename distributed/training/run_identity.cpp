#include "distributed/training/run_identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/training/train_options.hpp"
#include "io/data/sample_order.hpp"
#include "src/core/hash.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

using Hash = std::array<std::uint64_t, 2>;

std::string text_of(const std::optional<std::string>& value) {
  return !value ? "not set" : value->empty() ? "''" : printable(*value);
}

std::string hash_text(std::span<const std::byte> bytes) {
  const Hash hash = fast_hash(bytes);
  return to_hex(std::as_bytes(std::span(hash)));
}

/// Of blocks of a fixed length, so that any number of ranks may share them.
std::string hash_together(const Communicator& communicator, const ArrayView& array) {
  constexpr std::int64_t kBlock = 1 << 20;
  const std::int64_t bytes = array.rows * static_cast<std::int64_t>(array.row_bytes());
  const Range mine = share((bytes + kBlock - 1) / kBlock, communicator.rank(), communicator.size());
  std::vector<Hash> hashes;
  std::vector<std::byte> room;
  for (std::int64_t block = mine.first; block < mine.last; ++block) {
    const std::int64_t first = block * kBlock;
    const std::int64_t count = std::min(kBlock, bytes - first);
    hashes.push_back(fast_hash(
        row_bytes(array, static_cast<std::size_t>(first), static_cast<std::size_t>(count), room)));
  }
  const std::vector<std::byte> all = communicator.gather(std::as_bytes(std::span(hashes)));
  return communicator.broadcast(communicator.is_root() ? hash_text(all) : std::string());
}

std::string describe(const Communicator& communicator, const ArrayView& array) {
  return fmt::format("{} rows of {} {}, hash {}", array.rows, to_string(array.type),
                     to_string(array.row_shape), hash_together(communicator, array));
}

std::string network_fact(const Network& model) {
  const std::string config = model_to_json(model).dump();
  return fmt::format("{} with {} parameters, hash {}", printable(model.name()),
                     model.parameter_count(),
                     hash_text(std::as_bytes(std::span(config))).substr(0, 16));
}

/// JSON text in ASCII: file names and names of layers may hold anything.
std::string json_fact(const nlohmann::ordered_json& json) {
  using Json = nlohmann::ordered_json;
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::optional<std::string> find_fact(const Facts& facts, const std::string& name) {
  const auto found = std::ranges::find(facts, name, &Fact::first);
  return found == facts.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> differences(const Facts& there, const Facts& here) {
  std::vector<std::string> result;
  if (there.empty() || here.empty()) return result;
  const auto compare = [&](const std::string& name) {
    const auto theirs = find_fact(there, name);
    const auto ours = find_fact(here, name);
    if (theirs == ours) return;
    result.push_back(
        fmt::format("{} {} there, {} here", printable(name), text_of(theirs), text_of(ours)));
  };
  for (const auto& [name, value] : here) compare(name);
  for (const auto& [name, value] : there)
    if (!find_fact(here, name)) compare(name);
  return result;
}

Facts trainer_facts(const TrainOptions& options, const Network& model) {
  nlohmann::ordered_json compiled = training_config_to_json(model);
  nlohmann::ordered_json optimizer = model.optimizer().to_json();
  const nlohmann::ordered_json rate = optimizer["config"]["learning_rate"];
  optimizer["config"].erase("learning_rate");
  Facts facts = option_facts(options);
  facts.insert(facts.end(), {{"network", network_fact(model)},
                             {"loss", json_fact(compiled["loss"])},
                             {"metrics", json_fact(compiled["metrics"])},
                             {"optimizer", json_fact(optimizer)},
                             {"learning-rate", json_fact(rate)}});
  return facts;
}

Facts data_facts(const Communicator& communicator, const ArrayDataset& data,
                 const std::string& x_name, const std::string& y_name,
                 const std::string& weights_name) {
  Facts facts = {{x_name, describe(communicator, data.x)},
                 {y_name, describe(communicator, data.y)}};
  if (data.is_weighted()) facts.emplace_back(weights_name, describe(communicator, data.weights));
  return facts;
}

}  // namespace lockstep
