#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "src/graph/op.hpp"

namespace lockstep {

/// y = the rows of a table that x names.  x: (positions) token ids, table: (ids, features), y:
/// (positions, features), of each sample. Throws Error (65), naming the layer, for an x that is no
/// id. By the table: per grain one chain of adds over (sample, position) ascending of the positions
/// that name the row, grains by the tree; 0 for a row that none names. By x: 0.
std::unique_ptr<Op> make_embedding_op(Parameter* table, std::int64_t positions, std::string layer);

}  // namespace lockstep
