#include "distributed/update/table_updates.hpp"

#include <algorithm>
#include <bit>

#include "src/graph/sparse_tree_sum.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kHeader = 1, kRecordHeader = 2;
/// Rows that are fetched while others are worked on.
constexpr std::size_t kAhead = 6;

std::vector<int> peers_of(const HostMap& map, int rank) {
  const RowShare own = row_share(map, rank);
  std::vector<int> peers;
  for (int host = 0; host < map.hosts(); ++host)
    for (const int other : map.ranks_of(host))
      if (host != map.host_of(rank) && share_rows(own, row_share(map, other)))
        peers.push_back(other);
  return peers;
}

std::int64_t record_floats(const Table& table) {
  return table.features + static_cast<std::int64_t>(kRecordHeader);
}

/// As many as there are ids.
std::int64_t message_floats(const Table& table, std::int64_t host_rows) {
  return static_cast<std::int64_t>(kHeader) +
         host_rows * table.ids_of_sample() * record_floats(table);
}

std::int64_t subtrees_of(std::span<const StepPlan> plans) {
  std::size_t most = 0;
  for (const StepPlan& plan : plans) most = std::max(most, plan.all_subtrees().size());
  return static_cast<std::int64_t>(most);
}

std::int64_t widest(std::span<const Table> tables) {
  std::int64_t floats = 0;
  for (const Table& table : tables) floats = std::max(floats, table.features);
  return floats;
}

}  // namespace

TableUpdates::TableUpdates(Objective& objective, const HostMap& map, int rank,
                           std::span<const Table> tables, std::span<const StepPlan> plans,
                           const Workspace& workspace,
                           std::vector<std::array<float*, kMaxSlots>> slots, Traffic& traffic)
    : map_(map),
      tables_(tables),
      workspace_(workspace),
      traffic_(traffic),
      my_host_(map.host_of(rank)),
      peers_(peers_of(map, rank)),
      rows_(objective, tables, row_share(map, rank), std::move(slots)),
      sum_(widest(tables)),
      nothing_(widest(tables)) {
  if (tables.empty()) return;
  source_of_.resize(static_cast<std::size_t>(subtrees_of(plans)));
  first_of_host_.resize(static_cast<std::size_t>(map.hosts()));
  addends_.resize(source_of_.size());
  for (const Table& table : tables) {
    const auto ids = [&](std::int64_t rows) { return rows * table.ids_of_sample(); };
    const std::int64_t host_rows = most_rows_of_host(plans, map, my_host_);
    touched_.emplace_back(ids(host_rows));
    if (map.hosts() == 1) continue;
    Exchange& exchange = exchanges_.emplace_back();
    exchange.stride = record_floats(table);
    exchange.sent = FloatBuffer(message_floats(table, host_rows));
    for (const int peer : peers_)
      exchange.received.emplace_back(
          message_floats(table, most_rows_of_host(plans, map, map.host_of(peer))));
    exchange.rows = TouchedRows(ids(largest_batch(plans)));
  }
}

std::int64_t TableUpdates::bytes(std::span<const Table> tables, const HostMap& map, int rank,
                                 std::span<const StepPlan> plans) {
  constexpr std::int64_t kFloat = sizeof(float);
  std::int64_t bytes = TableRows::bytes(tables, row_share(map, rank)) + 2 * kFloat * widest(tables);
  const std::int64_t host_rows = most_rows_of_host(plans, map, map.host_of(rank));
  for (const Table& table : tables) {
    bytes += TouchedRows::bytes(host_rows * table.ids_of_sample());
    if (map.hosts() == 1) continue;
    bytes += kFloat * message_floats(table, host_rows);
    for (const int peer : peers_of(map, rank))
      bytes += kFloat * message_floats(table, most_rows_of_host(plans, map, map.host_of(peer)));
    bytes += TouchedRows::bytes(largest_batch(plans) * table.ids_of_sample());
  }
  return bytes;
}

void TableUpdates::begin_step(ShardedStep& step) {
  if (!any()) return;
  step_ = &step;
  rows_.begin_step();
  if (map_.hosts() == 1) return;
  // Which of the step's sources each subtree of each host is.
  std::size_t first = 0, received = 0;
  std::vector<std::size_t>& firsts = first_of_host_;
  for (std::size_t host = 0; host < firsts.size(); ++host) {
    firsts[host] = first;
    for (std::size_t k = 0; k < step.subtrees_of_host[host]; ++k, ++first) {
      const bool own = static_cast<int>(host) == my_host_;
      const std::size_t subtree = own ? k : received++;
      source_of_[first] = static_cast<std::size_t>(
          std::ranges::find_if(step.sources,
                               [&](const ShardedStep::Source& source) {
                                 return source.own == own && source.subtree == subtree;
                               }) -
          step.sources.begin());
    }
  }
}

void TableUpdates::catch_up() {
  for (std::size_t table = 0; table < tables_.size(); ++table) {
    find(table);
    const auto rows = touched_[table].rows();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + kAhead < rows.size()) rows_.prefetch(table, rows[i + kAhead].row);
      rows_.catch_up(table, rows[i].row);
    }
  }
}

/// The owned rows that the host's ids name, their places in the order in which gradients are added.
/// What is no id, forward refuses.
void TableUpdates::find(std::size_t number) {
  const Table& table = tables_[number];
  TouchedRows& touched = touched_[number];
  touched.clear();
  const auto limit = static_cast<float>(table.rows);
  const std::int64_t grain = step_->plan->grain();
  for (std::size_t subtree = 0; subtree < step_->host_subtrees.size(); ++subtree) {
    const Range rows = step_->host_subtrees[subtree];
    for (std::int64_t first = rows.first; first < rows.last; first += grain) {
      const Range samples{first, std::min(first + grain, rows.last)};
      for (std::size_t use = 0; use < table.uses.size(); ++use) {
        const auto& [op, positions] = table.uses[use];
        const Rows at = workspace_.rows(samples, 0);
        const auto ids = OpValues(workspace_.op(op), at).x().flat();
        for (std::size_t i = 0; i < ids.size(); ++i) {
          if (!(ids[i] >= 0 && ids[i] < limit)) continue;
          const auto row = static_cast<std::int64_t>(ids[i]);
          if (!rows_.share().owns(row)) continue;
          touched.add(row, {.subtree = static_cast<std::int32_t>(subtree),
                            .leaf = static_cast<std::int32_t>((first - rows.first) / grain),
                            .use = static_cast<std::int32_t>(use),
                            .at = static_cast<std::int32_t>(samples.first * positions +
                                                            static_cast<std::int64_t>(i))});
        }
      }
    }
  }
}

/// The sum over the places of one subtree from this one on; returns the first place behind them.
std::int32_t TableUpdates::add_up(std::size_t number, std::int32_t first, float* sum) {
  const Table& table = tables_[number];
  const TouchedRows& touched = touched_[number];
  std::int32_t i = first;
  for (std::int64_t column = 0; column < table.features; column += SparseTreeSum::kTogether) {
    const std::int64_t count = std::min(SparseTreeSum::kTogether, table.features - column);
    SparseTreeSum sums(count);
    std::int32_t leaf = -1, use = -1;
    for (i = first; i != TouchedRows::kNone; i = touched.place(i).next) {
      const TouchedRows::Place& place = touched.place(i);
      if (place.subtree != touched.place(first).subtree) break;
      if (place.leaf != leaf || place.use != use) sums.begin_leaf(place.leaf);
      leaf = place.leaf;
      use = place.use;
      const auto& [op, positions] = table.uses[static_cast<std::size_t>(use)];
      const std::int64_t sample = place.at / positions;
      const Rows at = workspace_.rows({sample, sample + 1}, 0);
      const Matrix dy = OpValues(workspace_.op(op), at).dy().with_columns(table.features);
      sums.add(dy.row(place.at % positions) + column);
    }
    std::copy_n(sums.finish(), count, sum + column);
  }
  return i;
}

void TableUpdates::compute() {
  for (std::size_t number = 0; number < tables_.size(); ++number) {
    const Table& table = tables_[number];
    const auto features = static_cast<std::size_t>(table.features);
    float* record = nullptr;
    std::int64_t records = 0;
    if (!exchanges_.empty()) record = exchanges_[number].sent.span().data() + kHeader;
    const auto rows = touched_[number].rows();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const TouchedRows::Row& row = rows[i];
      if (!record && i + kAhead < rows.size()) rows_.prefetch(number, rows[i + kAhead].row);
      for (std::int32_t place = row.first; place != TouchedRows::kNone;) {
        const std::int32_t subtree = touched_[number].place(place).subtree;
        place = add_up(number, place, record ? record + kRecordHeader : sum_.span().data());
        if (!record) continue;
        record[0] = static_cast<float>(row.row);
        record[1] = static_cast<float>(subtree);
        record += exchanges_[number].stride;
        ++records;
      }
      if (!record) rows_.update(number, row.row, sum_.span().first(features));
    }
    if (record) {
      // A float holds it, whatever it counts.
      const auto bits = static_cast<std::uint32_t>(records);
      exchanges_[number].sent.span()[0] = std::bit_cast<float>(bits);
    }
  }
}

void TableUpdates::send(Messages& messages, int tag) {
  for (Exchange& exchange : exchanges_) {
    const auto records = std::bit_cast<std::uint32_t>(exchange.sent.span()[0]);
    const auto floats = kHeader + records * static_cast<std::size_t>(exchange.stride);
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
      messages.receive(exchange.received[peer].span(), peers_[peer], tag);
      messages.send(exchange.sent.span().first(floats), peers_[peer], tag);
      traffic_.count(floats * sizeof(float));
    }
  }
}

/// Notes the records of rows that this rank owns: where they lie, and which source they are.
void TableUpdates::add_records(Exchange& exchange, const FloatBuffer& records, std::int32_t message,
                               int host) {
  const auto count = std::bit_cast<std::uint32_t>(records.span()[0]);
  for (std::uint32_t i = 0; i < count; ++i) {
    const float* const record =
        records.span().data() + kHeader + i * static_cast<std::size_t>(exchange.stride);
    const auto row = static_cast<std::int64_t>(record[0]);
    if (!rows_.share().owns(row)) continue;
    const std::size_t source = source_of_[first_of_host_[static_cast<std::size_t>(host)] +
                                          static_cast<std::size_t>(record[1])];
    exchange.rows.add(row, {.subtree = static_cast<std::int32_t>(source),
                            .use = message,
                            .at = static_cast<std::int32_t>(i)});
  }
}

void TableUpdates::update() {
  for (std::size_t number = 0; number < exchanges_.size(); ++number) {
    const Table& table = tables_[number];
    Exchange& exchange = exchanges_[number];
    exchange.rows.clear();
    add_records(exchange, exchange.sent, TouchedRows::kNone, my_host_);
    for (std::size_t peer = 0; peer < peers_.size(); ++peer)
      add_records(exchange, exchange.received[peer], static_cast<std::int32_t>(peer),
                  map_.host_of(peers_[peer]));
    const std::size_t sources = step_->sources.size();
    for (const TouchedRows::Row& row : exchange.rows.rows()) {
      // A subtree that does not name the row adds 0.
      std::fill_n(addends_.begin(), sources, nothing_.span().data());
      for (std::int32_t i = row.first; i != TouchedRows::kNone; i = exchange.rows.place(i).next) {
        const TouchedRows::Place& place = exchange.rows.place(i);
        const FloatBuffer& records =
            place.use < 0 ? exchange.sent : exchange.received[static_cast<std::size_t>(place.use)];
        addends_[static_cast<std::size_t>(place.subtree)] =
            records.span().data() + kHeader +
            static_cast<std::size_t>(place.at) * static_cast<std::size_t>(exchange.stride) +
            kRecordHeader;
      }
      step_->total.add(std::span(addends_).first(sources), sum_.span().data(), table.features);
      rows_.update(number, row.row, sum_.span().first(static_cast<std::size_t>(table.features)));
    }
  }
}

}  // namespace lockstep
