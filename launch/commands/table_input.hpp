#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "io/table/table_mapping.hpp"

namespace lockstep {

/// A table whose rows a saved network takes, by the mapping in its file: rank 0 reads it, and every
/// rank has the rows.
class TableInput {
 public:
  /// `said`: separator and decimal, if the user says them. `mapping`: LoadedModel::table_mapping of
  /// the file `model`. Throws CollectiveError: 65 if it is empty, or for what the mapping refuses;
  /// 66, 77, 74. Collective.
  TableInput(const Communicator& world, const std::filesystem::path& table, const TableFormat& said,
             const std::string& mapping, const std::string& model, Unknown unknown);

  ArrayView view() const { return x_.view(); }
  const std::string& label() const { return label_; }  ///< the file's name, for messages
  const TableMapping& mapping() const { return mapping_; }
  /// What names the rows; empty if the table has no such column. Rank 0 only.
  const std::vector<std::string>& ids() const { return ids_; }
  /// Lines for people: columns that were not used, words that are unknown. Rank 0 only.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  void read(const std::filesystem::path& table, const TableFormat& said, Unknown unknown);

  std::string label_;
  TableMapping mapping_;
  Array x_;
  std::vector<std::string> ids_;
  std::vector<std::string> remarks_;
};

}  // namespace lockstep
