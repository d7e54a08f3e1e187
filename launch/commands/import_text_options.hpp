#pragma once

#include "io/text/import_text.hpp"
#include "launch/cli/option_parser.hpp"

namespace lockstep {

/// What `lockstep import text` reads, out of its options.
struct TextImport {
  TextOptions options;
  TableSplit split;
};

/// The part of `lockstep import --help` about texts.
extern const char* const kTextHelp;

void add_text_options(po::options_description& options);
/// Throws Error (64) for a wrong value, options that exclude each other or do not go with the form,
/// no FILE, and none of --label, --label-by-file and --next.
TextImport text_import(const po::variables_map& given);

}  // namespace lockstep
