#include "distributed/training/resident_array.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/same_file.hpp"
#include "src/core/fault.hpp"
#include "src/core/hash.hpp"
#include "src/core/printable.hpp"
#include "src/core/range.hpp"

namespace lockstep {
namespace {

DatasetFile open_together(const Communicator& communicator, const std::filesystem::path& path,
                          const std::string& dataset, bool trust) {
  std::optional<DatasetFile> file;
  together(communicator, [&] { file.emplace(path, dataset, trust); });
  const auto descriptions = communicator.all_gather(fmt::format(
      "{} rows of {} {}", file->rows(), to_string(file->type()), to_string(file->row_shape())));
  const std::string label = communicator.broadcast(file->label());
  for (std::size_t rank = 1; rank < descriptions.size(); ++rank)
    check_collectively(descriptions[rank] == descriptions[0], ExitCode::kDisagreement,
                       "[data] {}: expected the same file on every rank, got {} on rank 0 and {} "
                       "on rank {}",
                       label, descriptions[0], descriptions[rank], rank);
  return std::move(*file);
}

}  // namespace

ResidentArray::ResidentArray(const Communicator& communicator, const Communicator& host,
                             const std::filesystem::path& path, const std::string& dataset,
                             bool trust)
    : ResidentArray(communicator, host, path, open_together(communicator, path, dataset, trust),
                    trust) {}

ResidentArray::ResidentArray(const Communicator& communicator, const Communicator& host,
                             const std::filesystem::path& path, DatasetFile file, bool trust)
    : memory_(host, static_cast<std::size_t>(file.held_bytes())),
      starts_(file.starts()),
      label_(file.label()),
      classes_(file.classes()),
      notes_(file.notes()) {
  together(communicator, [&] { memory_.use_own("the rows of " + printable(label_)); });
  const DatasetFile& held = file.series() != nullptr ? *file.series() : file;
  view_ = {file.type(), file.rows(), file.row_shape(), memory_.bytes().data()};
  if (!starts_.empty()) {
    view_.starts = starts_.data();
    view_.start_elements = element_count(held.row_shape());
  }
  check_same_file(communicator, host, path, file);
  const Range mine =
      memory_.shared() ? share(held.rows(), host.rank(), host.size()) : Range{0, held.rows()};
  together(communicator, [&] {
    fault_point("read", communicator.rank(), 0);
    held.read(mine.first, mine.count(),
              memory_.bytes().subspan(static_cast<std::size_t>(mine.first) * held.row_bytes(),
                                      static_cast<std::size_t>(mine.count()) * held.row_bytes()));
  });
  memory_.synchronize();
  if (trust) check_sample_rows(communicator, file, view_);
  compare_over_hosts(communicator, host);
}

void ResidentArray::compare_over_hosts(const Communicator& communicator, const Communicator& host) {
  if (host.size() == communicator.size() && memory_.shared()) return;
  const std::array hash = {fast_hash(memory_.bytes()),
                           fast_hash(std::as_bytes(std::span(starts_)))};
  const std::vector<std::string> hashes =
      communicator.all_gather(to_hex(std::as_bytes(std::span(hash))));
  const auto other = std::ranges::find_if(hashes, [&](const auto& h) { return h != hashes[0]; });
  if (other == hashes.end()) return;
  const auto rank = other - hashes.begin();
  const std::string label = communicator.broadcast(label_);
  check_collectively(false, ExitCode::kDisagreement,
                     "[data] {}: expected the same content on every host, got {} rows with hash {} "
                     "on rank {}, and hash {} on rank 0",
                     label, view_.rows, hashes[static_cast<std::size_t>(rank)], rank, hashes[0]);
}

}  // namespace lockstep
