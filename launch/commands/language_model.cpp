#include "launch/commands/language_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "io/data/batch.hpp"
#include "io/import/utf8.hpp"
#include "launch/commands/table_predictions.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

/// In [0, 1), a multiple of 2^-53.
double chance_of(const RandomStream& random, std::uint64_t index) {
  const auto words = random.words(index);
  const std::uint64_t bits = std::uint64_t{words[0]} << 32 | words[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace

LanguageModel::LanguageModel(LoadedModel loaded, std::string name)
    : loaded_(std::move(loaded)), name_(std::move(name)) {
  const Network& model = loaded_.model;
  check(is_text_mapping(loaded_.table_mapping), ExitCode::kBadData,
        "[{}] expected a language model with its vocabulary (lockstep import text --next, then "
        "lockstep train), got a network without a vocabulary",
        printable(name_));
  mapping_ = text_mapping_from_json(loaded_.table_mapping, printable(name_));
  check(mapping_.next, ExitCode::kBadData,
        "[{}] expected a language model (lockstep import text --next), got a network that was "
        "trained on texts with labels: lockstep predict",
        printable(name_));
  const Shape& input = model.input_shape();
  check(input.size() == 1, ExitCode::kBadData,
        "[{}] expected a language model whose input is (T) numbers of tokens, got {}",
        printable(name_), to_string(input));
  check(!model.is_stateful(), ExitCode::kBadData,
        "[{}] expected a language model without stateful layers, which want texts by whole "
        "batches, got one",
        printable(name_));
  context_ = input.front();
  const Shape& output = model.output_shape();
  check(output.size() == 2 && output[0] == context_ && output[1] >= mapping_.numbers(),
        ExitCode::kBadData,
        "[{}] expected a language model whose output is the next token's probabilities at every "
        "position, {} for {} positions and a vocabulary of {} numbers, got {}",
        printable(name_), to_string(Shape({context_, mapping_.numbers()})), context_,
        mapping_.numbers(), to_string(output));
  probabilities_ = last_activation(model) == Activation::kSoftmax;
}

std::vector<std::int32_t> LanguageModel::numbers(const std::string& prompt) const {
  const std::size_t valid = valid_utf8(prompt);
  check(valid == prompt.size(), ExitCode::kUsage,
        "[generate] --prompt: expected UTF-8, got the byte 0x{:02x} at byte {}",
        static_cast<unsigned char>(prompt[valid]), valid + 1);
  std::vector<std::int32_t> result = TextEncoder(mapping_).numbers(prompt);
  const bool words = mapping_.rules.unit == TokenRules::Unit::kWords;
  const char* unit = words ? "word" : "character";
  check(!result.empty(), ExitCode::kUsage,
        "[generate] --prompt: expected at least one {}, got none", unit);
  std::size_t place = 0;
  mapping_.rules.for_each(prompt, [&](std::string_view token) {
    check(result[place++] != TextMapping::kUnknown, ExitCode::kUsage,
          "[generate] --prompt: expected {}s of the network's vocabulary, got '{}' ({} {}), which "
          "is none of its {}",
          unit, printable(token), unit, place, mapping_.vocabulary.size());
  });
  return result;
}

/// Of the position of the last number; `filler` stands behind it.
std::span<const float> LanguageModel::outputs_after(std::span<const std::int32_t> numbers,
                                                    std::int32_t filler,
                                                    const Workspace& workspace) const {
  const std::size_t used = std::min(numbers.size(), static_cast<std::size_t>(context_));
  std::vector<std::int32_t> row(static_cast<std::size_t>(context_), filler);
  std::ranges::copy(numbers.last(used), row.begin());
  const Network& model = loaded_.model;
  const std::int64_t only[] = {0};
  gather_rows(array_view(std::span<const std::int32_t>(row), {context_}), only,
              workspace.input({0, 1}), model.input_scaling());
  const Matrix output = model.forward(workspace, {0, 1}, {});
  const auto width = static_cast<std::size_t>(model.output_columns());
  return {output.data + (used - 1) * width, static_cast<std::size_t>(mapping_.numbers())};
}

/// By trying: if what stands behind the last number changes the outputs, it is not.
void LanguageModel::check_causal(std::span<const std::int32_t> numbers,
                                 const Workspace& workspace) const {
  const auto one = outputs_after(numbers, TextMapping::kPadding, workspace);
  const std::vector<float> first(one.begin(), one.end());
  const auto last = static_cast<std::int32_t>(mapping_.numbers() - 1);
  const auto other = outputs_after(numbers, last, workspace);
  check(std::memcmp(first.data(), other.data(), other.size_bytes()) == 0, ExitCode::kBadData,
        "[{}] expected a causal language model, got one whose outputs depend on later tokens: it "
        "wants TransformerDecoder, use_causal_mask, padding=causal, or a recurrent layer",
        printable(name_));
}

void LanguageModel::extend(std::vector<std::int32_t>& numbers, std::int64_t count,
                           const Sampling& sampling, std::uint64_t seed) const {
  const FloatingPointEnvironment environment;
  const Workspace workspace = loaded_.model.inference_workspace(1);
  check_causal(std::span(numbers).first(1), workspace);
  const RandomStream random(seed, Purpose::kGenerate, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto outputs = outputs_after(numbers, TextMapping::kPadding, workspace);
    numbers.push_back(
        static_cast<std::int32_t>(next_token(outputs, probabilities_, TextMapping::kFirst, sampling,
                                             chance_of(random, static_cast<std::uint64_t>(i)))));
  }
}

}  // namespace lockstep
