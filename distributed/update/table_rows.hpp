#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/table.hpp"
#include "src/model/objective.hpp"

namespace lockstep {

/// The rows of tables that a rank owns, each where the optimizer had it after some step: a row that
/// a step does not touch is left alone, and caught up when somebody needs it, with the bits that a
/// sweep over the table in every step would have left (Optimizer::idle()).
///
/// What steps a row has missed is the step it stands at and a log of the steps' scalars. A row may
/// also be caught up in its values alone: where these will not move any more (Optimizer::settled())
/// only slots remain behind, which need no log but a count. catch_up_values() leaves all rows so,
/// and the log begins anew; it happens after kLogged steps at the latest.
class TableRows {
 public:
  static constexpr std::int64_t kLogged = 1 << 14;

  /// `slots` of each table: where those of the rank's rows lie, one row after the other. The
  /// references must outlive this object.
  TableRows(Objective& objective, std::span<const Table> tables, const RowShare& share,
            std::vector<std::array<float*, kMaxSlots>> slots);
  static std::int64_t bytes(std::span<const Table> tables, const RowShare& share);

  const RowShare& share() const { return share_; }
  /// After the optimizer's begin_step(); nobody may read the tables meanwhile.
  void begin_step();

  /// Brings an owned row to where it was before the step under way, whose update comes next.
  void catch_up(std::size_t table, std::int64_t row);
  void prefetch(std::size_t table, std::int64_t row) const;
  /// catch_up(), then the step's update.
  void update(std::size_t table, std::int64_t row, std::span<const float> gradient);

  // --- Between steps ---

  bool values_are_behind() const { return values_behind_; }
  bool slots_are_behind() const { return slots_behind_; }
  void catch_up_values();
  void catch_up_all();
  /// Before the first step; the slots may have been filled in.
  void begin();

 private:
  UpdateSpan span_of(std::size_t table, std::int64_t row) const;
  std::int32_t& at(std::size_t table, std::int64_t row);
  std::int32_t after(const UpdateSpan& span, std::int64_t stands_at, std::int64_t step) const;

  Objective& objective_;
  std::span<const Table> tables_;
  RowShare share_;
  std::vector<std::array<float*, kMaxSlots>> slots_;
  std::vector<std::vector<std::int32_t>> at_;  ///< of each owned row: the steps that it has made

  std::int64_t now_ = 0;          ///< steps begun
  std::int64_t logged_from_ = 0;  ///< all values are those after this step, at least
  std::vector<float> log_;        ///< scalars of the steps since
  float most_ = 0;                ///< of them
  bool usual_ = true;             ///< they are finite and not negative: rows can settle
  /// Rows that stand at a step before logged_from_ stay as they are until so many steps are made,
  /// by scalars up to so much.
  std::int64_t quiet_until_ = -1;
  float quiet_most_ = 0;
  bool values_behind_ = false, slots_behind_ = false;
};

}  // namespace lockstep
