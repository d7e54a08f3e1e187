#include "distributed/ranks/replica_check.hpp"

#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <vector>

#include "distributed/ranks/agreement.hpp"
#include "src/core/hash.hpp"

namespace lockstep {
namespace {

struct Tensor {
  std::string name;  ///< "dense/kernel", "dense/kernel (Adam v)"
  std::span<const float> values;
};

/// The weights, and the optimizer's slots of each.
std::vector<Tensor> tensors_of(const Network& model, const Objective* objective,
                               std::span<const std::span<const float>> slots) {
  std::vector<std::string> slot_names;
  if (objective) slot_names = objective->optimizer().slot_names();
  std::vector<Tensor> tensors;
  for (const auto& layer : model.layers()) {
    for (const Parameter& parameter : layer->parameters()) {
      const std::string name = layer->name() + "/" + parameter.path();
      tensors.push_back({name, parameter.value});
      if (!objective || !objective->aim().trains(parameter)) continue;
      for (std::size_t i = 0; i < slots.size(); ++i)
        tensors.push_back(
            {fmt::format("{} ({} {})", name, objective->optimizer().class_name(), slot_names[i]),
             slots[i].subspan(static_cast<std::size_t>(parameter.offset), parameter.value.size())});
    }
  }
  return tensors;
}

using Hash = std::array<std::uint64_t, 2>;

std::vector<Hash> hashes_of_all_ranks(const Communicator& communicator, const Hash& mine) {
  const auto texts = communicator.all_gather(
      std::string(reinterpret_cast<const char*>(mine.data()), sizeof(mine)));
  std::vector<Hash> hashes(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    std::memcpy(hashes[i].data(), texts[i].data(), sizeof(Hash));
  return hashes;
}

/// The ranks whose hash is not that of the majority (of the lowest rank, if there is none).
std::vector<std::size_t> minority(const std::vector<Hash>& hashes) {
  std::map<Hash, std::size_t> votes;
  for (const Hash& hash : hashes) ++votes[hash];
  Hash winner = hashes[0];
  for (const auto& [hash, count] : votes)
    if (count > votes[winner]) winner = hash;
  std::vector<std::size_t> others;
  for (std::size_t rank = 0; rank < hashes.size(); ++rank)
    if (hashes[rank] != winner) others.push_back(rank);
  return others;
}

void compare(const std::vector<Tensor>& tensors, const Communicator& communicator,
             const std::string& when) {
  std::string not_finite;
  for (const Tensor& tensor : tensors)
    if (not_finite.empty() && !all_finite(tensor.values)) not_finite = tensor.name;
  const std::int64_t rank =
      communicator.all_min(not_finite.empty() ? communicator.size() : communicator.rank());
  if (rank < communicator.size()) {
    const auto names = communicator.all_gather(not_finite);
    check_collectively(false, ExitCode::kNumerical,
                       "[replicas] {}: expected finite weights, got NaN or Inf in {} on rank {}",
                       when, names[static_cast<std::size_t>(rank)], rank);
  }

  if (communicator.size() == 1) return;
  std::vector<Hash> own;
  for (const Tensor& tensor : tensors) own.push_back(fast_hash(std::as_bytes(tensor.values)));
  const Hash total = fast_hash(std::as_bytes(std::span(own)));
  if (minority(hashes_of_all_ranks(communicator, total)).empty()) return;

  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto differing = minority(hashes_of_all_ranks(communicator, own[i]));
    check_collectively(differing.empty(), ExitCode::kNumerical,
                       "[replicas] {}: expected the same bits on every rank, got other ones in {} "
                       "on rank {}",
                       when, tensors[i].name, fmt::join(differing, ", "));
  }
}

}  // namespace

bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  std::uint32_t found = 0;
  for (const float value : values)
    found |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
  return found == 0;
}

void check_replicas(const Network& model, const Objective& objective,
                    std::span<const std::span<const float>> slots, const Communicator& communicator,
                    const std::string& when) {
  compare(tensors_of(model, &objective, slots), communicator, when);
}

void check_replicas(const Network& model, const Communicator& communicator,
                    const std::string& when) {
  compare(tensors_of(model, nullptr, {}), communicator, when);
}

}  // namespace lockstep
