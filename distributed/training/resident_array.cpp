#include "distributed/training/resident_array.hpp"

#include <array>
#include <optional>

#include "distributed/ranks/agreement.hpp"
#include "io/data/sample_order.hpp"
#include "src/core/fault.hpp"
#include "src/core/hash.hpp"

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
    : ResidentArray(communicator, host, open_together(communicator, path, dataset, trust)) {}

ResidentArray::ResidentArray(const Communicator& communicator, const Communicator& host,
                             DatasetFile file)
    : memory_(host, static_cast<std::size_t>(file.rows()) * file.row_bytes()),
      view_{file.type(), file.rows(), file.row_shape(), memory_.bytes().data()},
      label_(file.label()),
      classes_(file.classes()),
      notes_(file.notes()) {
  const Range mine =
      memory_.shared() ? share(file.rows(), host.rank(), host.size()) : Range{0, file.rows()};
  together(communicator, [&] {
    fault_point("read", communicator.rank(), 0);
    file.read(mine.first, mine.count(),
              memory_.bytes().subspan(static_cast<std::size_t>(mine.first) * file.row_bytes(),
                                      static_cast<std::size_t>(mine.count()) * file.row_bytes()));
  });
  memory_.synchronize();
  compare_over_hosts(communicator, host);
}

void ResidentArray::compare_over_hosts(const Communicator& communicator, const Communicator& host) {
  if (host.size() == communicator.size() && memory_.shared()) return;
  std::array<std::uint64_t, 2> hash = fast_hash(memory_.bytes());
  std::array<std::uint64_t, 2> reference = hash;
  communicator.broadcast(std::span<std::uint64_t>(reference));
  const std::int64_t differs = hash == reference ? communicator.size() : communicator.rank();
  const std::int64_t rank = communicator.all_min(differs);
  const std::string label = communicator.broadcast(label_);
  check_collectively(rank == communicator.size(), ExitCode::kDisagreement,
                     "[data] {}: expected the same content on every host, got other values on "
                     "rank {} than on rank 0",
                     label, rank);
}

}  // namespace lockstep
