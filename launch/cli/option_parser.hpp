#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "src/core/printable.hpp"

namespace lockstep {

namespace po = boost::program_options;

/// Parses a command's arguments, for every command in one way. Throws Error (64), naming the
/// option: unknown (with the nearest known name), given twice, without or with a wrong value, out
/// of range.
/// `--help` is always known: see wants_help(). No abbreviations.
po::variables_map parse_arguments(const std::vector<std::string>& arguments,
                                  const po::options_description& options,
                                  const po::positional_options_description& positional);

/// An integer option from 1 to `high`; throws Error (64) that names it otherwise.
std::int64_t checked_count(const po::variables_map& values, const std::string& name,
                           std::int64_t high);

bool wants_help(const std::vector<std::string>& arguments);

}  // namespace lockstep
