#include "launch/cli/option_parser.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

std::vector<std::string> option_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

[[noreturn]] void refuse_unknown(const std::string& name, const po::options_description& options) {
  fail(ExitCode::kUsage, "[options] unknown option '{}'{}", printable(name),
       did_you_mean(name, option_names(options)));
}

/// Boost takes "-n" for an argument if it knows no short options; nobody means it so.
void refuse_short_options(const po::parsed_options& parsed,
                          const po::options_description& options) {
  for (const auto& option : parsed.options) {
    if (option.position_key < 0) continue;
    for (const std::string& value : option.value) {
      if (value.size() > 1 && value[0] == '-') refuse_unknown(value, options);
    }
  }
}

po::variables_map parse(const std::vector<std::string>& arguments,
                        const po::options_description& options,
                        const po::positional_options_description& positional) {
  using Style = po::command_line_style::style_t;
  const po::parsed_options parsed =
      po::command_line_parser(arguments)
          .options(options)
          .positional(positional)
          .style(Style::allow_long | Style::long_allow_adjacent | Style::long_allow_next)
          .run();
  refuse_short_options(parsed, options);
  po::variables_map values;
  po::store(parsed, values);
  po::notify(values);
  return values;
}

}  // namespace

po::variables_map parse_arguments(const std::vector<std::string>& arguments,
                                  const po::options_description& options,
                                  const po::positional_options_description& positional) {
  po::options_description known(options);
  known.add_options()("help", "this text");
  try {
    return parse(arguments, known, positional);
  } catch (const po::unknown_option& error) {
    refuse_unknown(error.get_option_name(), known);
  } catch (const po::multiple_occurrences& error) {
    fail(ExitCode::kUsage, "[options] {}: expected it once, got it more often",
         printable(error.get_option_name()));
  } catch (const po::too_many_positional_options_error&) {
    const unsigned most = positional.max_total_count();
    fail(ExitCode::kUsage, "[options] expected {} without '--' in front, got more",
         most == 0 ? "no argument" : fmt::format("at most {} argument(s)", most));
  } catch (const po::error_with_option_name& error) {
    fail(ExitCode::kUsage, "[options] {}", printable(error.what()));
  } catch (const po::error& error) {
    fail(ExitCode::kUsage, "[options] {}", printable(error.what()));
  }
}

std::int64_t checked_count(const po::variables_map& values, const std::string& name,
                           std::int64_t high) {
  const auto value = values[name].as<std::int64_t>();
  check(value >= 1 && value <= high, ExitCode::kUsage,
        "[options] --{}: expected an integer from 1 to {}, got {}", name, high, value);
  return value;
}

bool wants_help(const std::vector<std::string>& arguments) {
  return std::ranges::any_of(arguments, [](const std::string& argument) {
    return argument == "--help" || argument == "-h";
  });
}

}  // namespace lockstep
