#include "distributed/training/frozen_features.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "distributed/ranks/agreement.hpp"
#include "io/data/batch.hpp"
#include "src/core/system_files.hpp"
#include "src/graph/passes.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kRowsTogether = 32;

std::int64_t bytes_at(const Network& model, std::size_t value, std::int64_t rows) {
  return rows * element_count(model.graph().shape(value)) *
         static_cast<std::int64_t>(sizeof(float));
}

/// Bytes that are free. Windows that ranks share lie in a file system in memory, which may be
/// smaller.
std::optional<std::int64_t> room(bool shared) {
  const std::optional<std::int64_t> memory = available_memory();
  std::error_code none;
  const auto windows = std::filesystem::space("/dev/shm", none);
  if (!shared || none || !memory) return memory;
  return std::min(*memory, static_cast<std::int64_t>(windows.available));
}

}  // namespace

std::int64_t FrozenFeatures::bytes_of(const Network& model, std::int64_t rows) {
  const auto value = frozen_front(model.graph(), model.objective().aim());
  return value ? bytes_at(model, *value, rows) : 0;
}

std::unique_ptr<FrozenFeatures> FrozenFeatures::of(Network& model, const Communicator& communicator,
                                                   const ArrayView& x, std::int64_t others) {
  const auto value = frozen_front(model.graph(), model.objective().aim());
  if (!value) return nullptr;
  Communicator host = communicator.on_this_host();
  const auto everywhere = [&](bool yes) { return communicator.all_max(yes ? 0 : 1) == 0; };
  const bool fits =
      bytes_at(model, *value, x.rows) <= (room(host.size() > 1).value_or(0) - others) / 2;
  if (!everywhere(fits)) return nullptr;
  std::unique_ptr<FrozenFeatures> features(new FrozenFeatures(model, std::move(host), x, *value));
  const bool one_copy = features->memory_.shared() || features->host_.size() == 1;
  if (!everywhere(one_copy)) return nullptr;
  together(communicator, [&] {
    if (!features->memory_.shared())
      features->memory_.use_own("what layers that are not trained make of rows");
  });
  model.objective().begin_at(value);
  return features;
}

FrozenFeatures::FrozenFeatures(Network& model, Communicator host, const ArrayView& x,
                               std::size_t value)
    : model_(model),
      x_(x),
      value_(value),
      host_(std::move(host)),
      memory_(host_, static_cast<std::size_t>(bytes_at(model, value, x.rows))) {}

ArrayView FrozenFeatures::view() const {
  return {ElementType::kFloat32, x_.rows, model_.graph().shape(value_), memory_.bytes().data()};
}

void FrozenFeatures::compute(const Communicator& communicator) {
  together(communicator, [&] {
    compute_rows(memory_.shared() ? share(x_.rows, host_.rank(), host_.size()) : Range{0, x_.rows});
  });
  memory_.synchronize();
}

void FrozenFeatures::compute_rows(Range rows) {
  const Graph& graph = model_.graph();
  const Aim front(value_, {});
  const Workspace workspace(graph, {.ops = front.ops(graph),
                                    .aim = front,
                                    .rows = {kRowsTogether, kRowsTogether, kRowsTogether}});
  const Pass pass{.numerics = model_.numerics()};
  const Range ops{0, static_cast<std::int64_t>(front.ops(graph))};
  float* const features = reinterpret_cast<float*>(memory_.bytes().data());
  std::vector<std::int64_t> ids;
  for (std::int64_t first = rows.first; first < rows.last; first += kRowsTogether) {
    const std::int64_t count = std::min(kRowsTogether, rows.last - first);
    ids.resize(static_cast<std::size_t>(count));
    std::iota(ids.begin(), ids.end(), first);
    gather_rows(x_, ids, workspace.input({0, count}), model_.input_scaling());
    run_forward(graph, workspace, workspace.rows({0, count}, 0), pass, ops);
    const Matrix made = workspace.output({0, count});
    std::copy_n(made.data, made.size(), features + first * made.columns);
  }
}

}  // namespace lockstep
