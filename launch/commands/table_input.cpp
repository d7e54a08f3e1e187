#include "launch/commands/table_input.hpp"

#include <array>
#include <utility>

#include "distributed/ranks/agreement.hpp"
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
  std::array<std::int64_t, 1> rows = {x_.rows};
  world.broadcast(std::span<std::int64_t>(rows));
  x_.rows = rows.front();
  x_.type = texts_ ? type_of_numbers(*texts_) : ElementType::kFloat32;
  x_.row_shape = {texts_ ? texts_->length : static_cast<std::int64_t>(mapping_.feature_count())};
  together(world,
           [&] { x_.bytes.resize(static_cast<std::size_t>(x_.rows) * x_.view().row_bytes()); });
  world.broadcast(std::span(x_.bytes));
}

std::string TableInput::id_name() const {
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
  if (mapped.unknown > 0)
    remarks_.push_back(
        fmt::format("warning: {}: {} unknown word{} taken for none of the known ones",
                    printable(label_), mapped.unknown, mapped.unknown == 1 ? "" : "s"));
}

}  // namespace lockstep
