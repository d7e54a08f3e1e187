#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "io/table/table_mapping.hpp"
#include "io/text/text_mapping.hpp"

namespace lockstep {

/// A table or texts whose rows a saved network takes, by the mapping in its file: rank 0 reads it,
/// and every rank has the rows.
class TableInput {
 public:
  /// `said`: separator and decimal, if the user says them. `mapping`: LoadedModel::table_mapping of
  /// the file `model`. Throws CollectiveError: 65 if it is empty, or for what the mapping refuses;
  /// 66, 77, 74. Collective.
  TableInput(const Communicator& world, const std::filesystem::path& table, const TableFormat& said,
             const std::string& mapping, const std::string& model, Unknown unknown);

  ArrayView view() const;
  const std::string& label() const { return label_; }  ///< the file's name, for messages
  /// Of texts: what it says of labels, ids and tables.
  const TableMapping& mapping() const { return texts_ ? texts_->table : mapping_; }
  /// Heads the ids.
  std::string id_name() const;
  /// What names the rows, of lines of text their numbers, of windows what names their last row;
  /// empty if the table has no such column. Rank 0 only.
  const std::vector<std::string>& ids() const { return ids_; }
  /// Lines for people: columns that were not used, words and tokens that are unknown. Rank 0 only.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  void read_table(const std::filesystem::path& path, const TableFormat& said, Unknown unknown);
  void cut_windows(const TextTable& table);
  void read_texts(const std::filesystem::path& path, const TableFormat& said);

  std::string label_;
  TableMapping mapping_;
  std::optional<TextMapping> texts_;
  Array x_;
  std::vector<std::int64_t> starts_;  ///< of windows
  std::vector<std::string> ids_;
  std::vector<std::string> remarks_;
};

}  // namespace lockstep
