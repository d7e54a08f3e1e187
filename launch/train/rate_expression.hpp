#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lockstep {

/// A function of `epoch` (from 0) and `rate` (that of the epoch before) in muParser's words:
/// "epoch < 10 ? rate : rate * exp(-0.1)". Throws Error (64) with the column for another text.
std::function<double(std::int64_t epoch, double rate)> rate_expression(const std::string& text);

}  // namespace lockstep
