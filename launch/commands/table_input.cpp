#include "launch/commands/table_input.hpp"

#include <array>
#include <utility>

#include "distributed/ranks/agreement.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

TableInput::TableInput(const Communicator& world, const std::filesystem::path& table,
                       const TableFormat& said, const std::string& mapping,
                       const std::string& model, Unknown unknown)
    : label_(table.string()) {
  together(world, [&] {
    check(!mapping.empty(), ExitCode::kBadData,
          "[{}] expected a network that was trained on a table (lockstep import csv, then lockstep "
          "train), got one that does not know how columns become inputs: give its inputs by --data",
          printable(model));
    mapping_ = table_mapping_from_json(mapping, model);
  });
  on_root(world, [&] { read(table, said, unknown); });
  std::array<std::int64_t, 1> rows = {x_.rows};
  world.broadcast(std::span<std::int64_t>(rows));
  x_.rows = rows.front();
  x_.type = ElementType::kFloat32;
  x_.row_shape = {static_cast<std::int64_t>(mapping_.feature_count())};
  together(world,
           [&] { x_.bytes.resize(static_cast<std::size_t>(x_.rows) * x_.view().row_bytes()); });
  world.broadcast(std::span(x_.bytes));
}

void TableInput::read(const std::filesystem::path& path, const TableFormat& said, Unknown unknown) {
  const TextTable table(path, format_for(mapping_, said));
  MappedRows mapped = map_rows(table, mapping_, unknown);
  x_ = std::move(mapped.x);
  ids_ = std::move(mapped.ids);
  if (!mapped.ignored.empty()) {
    std::string names;
    for (const std::string& name : mapped.ignored)
      names += (names.empty() ? "'" : ", '") + printable(name, kShownOfCell) + "'";
    remarks_.push_back(
        fmt::format("warning: {}: columns that the training table lacks are not used: {}",
                    printable(label_), names));
  }
  for (const std::string& remark : table.remarks())
    remarks_.push_back(fmt::format("warning: {}: {}", printable(label_), remark));
  if (!mapping_.id.empty() && ids_.empty())
    remarks_.push_back(fmt::format("warning: {}: no column '{}': the rows are numbered from 0",
                                   printable(label_), printable(mapping_.id, kShownOfCell)));
  if (mapped.unknown > 0)
    remarks_.push_back(
        fmt::format("warning: {}: {} unknown word{} taken for none of the known ones",
                    printable(label_), mapped.unknown, mapped.unknown == 1 ? "" : "s"));
}

}  // namespace lockstep
