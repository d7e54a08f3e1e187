#include "distributed/training/same_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <vector>

#include "distributed/ranks/agreement.hpp"
#include "src/core/hash.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The same text on two ranks of a host: the same file, in the same state. Empty: not known.
std::string identity_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "";
  return fmt::format("{} {} {} {} {}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// Of all rows, a few mebibytes at a time.
std::string hash_of_rows(const DatasetFile& file) {
  constexpr std::size_t kPiece = 8 << 20;
  const std::size_t row_bytes = std::max<std::size_t>(file.row_bytes(), 1);
  const auto rows = static_cast<std::int64_t>(std::max<std::size_t>(kPiece / row_bytes, 1));
  std::vector<std::byte> piece;
  std::vector<std::uint64_t> hashes;
  for (std::int64_t first = 0; first < file.rows(); first += rows) {
    const std::int64_t count = std::min(rows, file.rows() - first);
    piece.resize(static_cast<std::size_t>(count) * file.row_bytes());
    file.read(first, count, piece);
    for (const std::uint64_t part : fast_hash(piece)) hashes.push_back(part);
  }
  const auto whole = fast_hash(std::as_bytes(std::span<const std::uint64_t>(hashes)));
  return to_hex(std::as_bytes(std::span(whole)));
}

std::string describe(const std::filesystem::path& path, const DatasetFile& file) {
  std::error_code error;
  const std::filesystem::path where = std::filesystem::absolute(path, error);
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  return fmt::format("{} ({} bytes, {} rows, hash {})", printable(where.string()),
                     error ? 0 : bytes, file.rows(), hash_of_rows(file));
}

}  // namespace

void check_same_file(const Communicator& communicator, const Communicator& host,
                     const std::filesystem::path& path, const DatasetFile& file) {
  const std::vector<std::string> identities = host.all_gather(identity_of(path));
  const bool one_file = !identities.front().empty() &&
                        std::ranges::count(identities, identities.front()) == host.size();
  if (communicator.all_min(one_file ? 1 : 0) == 1) return;
  std::string mine;
  together(communicator, [&] { mine = describe(path, file); });
  const auto hash = [](const std::string& text) { return text.substr(text.rfind(' ')); };
  const std::vector<std::string> all = communicator.all_gather(mine);
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    check_collectively(hash(all[rank]) == hash(all[0]), ExitCode::kDisagreement,
                       "[data] {}: expected the same file on every rank, got {} on rank 0 and {} "
                       "on rank {}",
                       communicator.broadcast(file.label()), all[0], all[rank], rank);
}

void check_sample_rows(const Communicator& communicator, const DatasetFile& file,
                       const ArrayView& view) {
  constexpr std::int64_t kSamples = 32;
  const std::int64_t samples = std::min(kSamples, view.rows);
  std::int64_t differing = -1;
  together(communicator, [&] {
    std::vector<std::byte> row(file.row_bytes());
    for (std::int64_t i = 0; i < samples && differing < 0; ++i) {
      const std::int64_t at = samples == 1 ? 0 : i * (view.rows - 1) / (samples - 1);
      file.read(at, 1, row);
      if (std::memcmp(row.data(), view.row(at), row.size()) != 0) differing = at;
    }
  });
  const std::int64_t rank =
      communicator.all_min(differing < 0 ? communicator.size() : communicator.rank());
  if (rank == communicator.size()) return;
  const std::int64_t row = communicator.all_max(communicator.rank() == rank ? differing : -1);
  throw CollectiveError(
      ExitCode::kDisagreement,
      fmt::format("[data] {}: expected the same file on every rank, got another row {} on rank {} "
                  "than the ranks of its host read together",
                  communicator.broadcast(file.label()), row, rank));
}

}  // namespace lockstep
