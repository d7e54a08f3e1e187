#include "launch/commands/table_input.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "distributed/ranks/agreement.hpp"
#include "io/table/import_windows.hpp"
#include "io/text/labelled_texts.hpp"
#include "io/text/text_lines.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

TableInput::TableInput(const Communicator& world, const std::filesystem::path& table,
                       const TableFormat& said, const std::string& mapping,
                       const std::string& model, Unknown unknown)
    : label_(table.string()) {
  together(world, [&] {
    check(!mapping.empty(), ExitCode::kBadData,
          "[{}] expected a network that was trained on a table or on texts (lockstep import csv or "
          "text, then lockstep train), got one that does not know how columns become inputs: give "
          "its inputs by --data FILE.h5",
          printable(model));
    if (!is_text_mapping(mapping)) {
      mapping_ = table_mapping_from_json(mapping, model);
      return;
    }
    texts_ = text_mapping_from_json(mapping, model);
    check(!texts_->next, ExitCode::kBadData,
          "[{}] expected a network that was trained on texts with labels, got a language model: "
          "lockstep generate samples from it, --data FILE.h5 gives its outputs",
          printable(model));
  });
  on_root(world, [&] {
    if (texts_)
      read_texts(table, said);
    else
      read_table(table, said, unknown);
  });
  std::array<std::int64_t, 2> rows = {x_.rows, static_cast<std::int64_t>(starts_.size())};
  world.broadcast(std::span<std::int64_t>(rows));
  x_.rows = rows[0];
  together(world, [&] { starts_.resize(static_cast<std::size_t>(rows[1])); });
  world.broadcast(std::span<std::int64_t>(starts_));
  x_.type = texts_ ? type_of_numbers(*texts_) : ElementType::kFloat32;
  x_.row_shape = {texts_ ? texts_->length : static_cast<std::int64_t>(mapping_.feature_count())};
  together(world,
           [&] { x_.bytes.resize(static_cast<std::size_t>(x_.rows) * x_.view().row_bytes()); });
  world.broadcast(std::span(x_.bytes));
}

ArrayView TableInput::view() const {
  ArrayView view = x_.view();
  if (mapping().windows.length == 0) return view;
  view.start_elements = view.row_elements();
  view.starts = starts_.data();
  view.rows = static_cast<std::int64_t>(starts_.size());
  view.row_shape.insert(view.row_shape.begin(), mapping().windows.length);
  return view;
}

/// All that the table has room for, in the order of their last rows, whatever the step in training.
void TableInput::cut_windows(const TextTable& table) {
  std::vector<std::size_t> all(table.rows());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const SeriesOrder order = order_by_group(table, mapping_, all);
  const std::int64_t length = mapping_.windows.length;
  std::vector<std::pair<std::size_t, std::int64_t>> windows;  // (last row in the table, beginning)
  for (const SeriesRows& one : order.series)
    for (std::int64_t at = one.first; at + length <= one.first + one.rows; ++at)
      windows.emplace_back(order.rows[static_cast<std::size_t>(at + length - 1)], at);
  check(!windows.empty(), ExitCode::kBadData,
        "[csv] {}: expected at least {} rows of a series, which the network reads at once, got {}",
        printable(label_), length, std::ranges::max(order.series, {}, &SeriesRows::rows).rows);
  std::ranges::sort(windows);
  std::vector<std::string> ids;
  for (const auto& [last_row, start] : windows) {
    starts_.push_back(start);
    ids.push_back(ids_.empty() ? std::to_string(last_row) : ids_[last_row]);
  }
  ids_ = std::move(ids);
  std::vector<std::byte> bytes;
  const std::size_t row_bytes = x_.view().row_bytes();
  for (const std::size_t row : order.rows) {
    const std::byte* from = x_.bytes.data() + row * row_bytes;
    bytes.insert(bytes.end(), from, from + row_bytes);
  }
  x_.bytes = std::move(bytes);
}

std::string TableInput::id_name() const {
  if (!texts_ && mapping().id.empty()) return "row";
  return texts_ && mapping().id.empty() ? "line" : mapping().id;
}

/// Lines, unless the texts to train on were in a table and the name does not say otherwise.
void TableInput::read_texts(const std::filesystem::path& path, const TableFormat& said) {
  std::vector<std::string> texts;
  const std::string ending = (path.extension() == ".gz" ? path.stem() : path).extension().string();
  if (!texts_->column.empty() && ending != ".txt") {
    const TextTable table(path, format_for(texts_->table, said));
    texts = texts_of_table(table, *texts_);
    ids_ = ids_of_table(table, *texts_);
    for (std::size_t row = 0; ids_.size() < texts.size(); ++row)
      ids_.push_back(std::to_string(table.line(row)));
  } else {
    TextLines lines = read_text_lines(path);
    texts = std::move(lines.texts);
    for (const std::int64_t line : lines.lines) ids_.push_back(std::to_string(line));
  }
  TextCounts counts;
  x_ = TextEncoder(*texts_).rows({texts.begin(), texts.end()}, counts);
  if (counts.unknown > 0)
    remarks_.push_back(fmt::format("note: {}: {} of {} {} are not in the network's vocabulary",
                                   printable(label_), counts.unknown, counts.tokens,
                                   to_text(texts_->rules.unit)));
  if (counts.empty > 0)
    remarks_.push_back(
        fmt::format("warning: {}: {} texts have no token: their rows are padding "
                    "alone",
                    printable(label_), counts.empty));
}

void TableInput::read_table(const std::filesystem::path& path, const TableFormat& said,
                            Unknown unknown) {
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
  if (mapping_.windows.length > 0) cut_windows(table);
  if (mapped.unknown > 0)
    remarks_.push_back(
        fmt::format("warning: {}: {} unknown word{} taken for none of the known ones",
                    printable(label_), mapped.unknown, mapped.unknown == 1 ? "" : "s"));
}

}  // namespace lockstep
