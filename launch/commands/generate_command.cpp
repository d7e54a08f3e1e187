#include <cmath>

#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/commands/language_model.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp =
    R"(Usage: lockstep generate MODEL --prompt TEXT [options]

Writes the prompt and what a language model says comes next, token by token. The model was trained
on running text (lockstep import text --next), whose vocabulary is in its file: input (T), output
(T, vocabulary), causal. It reads the last T tokens before each new one. The same text for the same
model, prompt and options, on every machine. One process does it.

Options:
  --prompt TEXT            what to go on from; its characters, or words, must be known to the model
  --length N               tokens to add (default 200)
  --temperature T          probabilities p become p^(1/T): below 1 likelier tokens, above 1 rarer
                           ones; 0: always the likeliest (default 1)
  --top-k K                draw from the K likeliest only (default: from all)
  --seed S                 what is drawn is a function of it (default 0)
)";

struct GenerateOptions {
  std::string model;
  std::string prompt;
  std::int64_t length = 0;
  Sampling sampling;
  std::uint64_t seed = 0;
};

GenerateOptions parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  known.add_options()("model-file", po::value<std::string>())("prompt", po::value<std::string>())(
      "length", po::value<std::int64_t>()->default_value(200))(
      "temperature", po::value<double>()->default_value(1))("top-k", po::value<std::int64_t>())(
      "seed", po::value<std::uint64_t>()->default_value(0));
  po::positional_options_description positional;
  positional.add("model-file", 1);
  const po::variables_map given = parse_arguments(arguments, known, positional);
  check(given.contains("model-file"), ExitCode::kUsage,
        "[generate] expected MODEL.h5 (lockstep generate MODEL.h5 --prompt TEXT), got none");
  check(given.contains("prompt"), ExitCode::kUsage, "[generate] expected --prompt TEXT, got none");
  GenerateOptions options;
  options.model = given["model-file"].as<std::string>();
  options.prompt = given["prompt"].as<std::string>();
  options.length = checked_count(given, "length", 1'000'000'000);
  options.sampling.temperature = given["temperature"].as<double>();
  check(std::isfinite(options.sampling.temperature) && options.sampling.temperature >= 0,
        ExitCode::kUsage, "[generate] --temperature: expected a number of at least 0, got {}",
        options.sampling.temperature);
  if (given.contains("top-k"))
    options.sampling.top_k = checked_count(given, "top-k", 1'000'000'000);
  options.seed = given["seed"].as<std::uint64_t>();
  return options;
}

/// No terminal obeys a token, but lines end.
std::string shown(std::string_view token) {
  return token == "\n" || token == "\t" ? std::string(token) : printable(token);
}

}  // namespace

ExitCode run_generate(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    print_now(kHelp);
    return ExitCode::kDone;
  }
  const GenerateOptions options = parse(context.arguments);
  const auto leave_uncompiled = [](Network&, const std::string&) {};
  const LanguageModel model(load_model(options.model, leave_uncompiled), options.model);
  std::vector<std::int32_t> numbers = model.numbers(options.prompt);
  model.extend(numbers, options.length, options.sampling, options.seed);
  std::string text;
  for (const std::int32_t number : numbers) {
    if (!text.empty()) text += model.mapping().rules.between();
    text += shown(model.mapping().token(number));
  }
  print_now(text + "\n");
  return ExitCode::kDone;
}

}  // namespace lockstep
