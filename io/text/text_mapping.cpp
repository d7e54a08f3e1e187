#include "io/text/text_mapping.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Unit = TokenRules::Unit;

constexpr int kFormat = 1;

const char* text_of(Side side) {
  return side == Side::kPre ? "pre" : "post";
}

Side side_of(const ordered_json& json) {
  check(json == "pre" || json == "post", ExitCode::kBadData, "expected pre or post, got {}",
        json.dump());
  return json == "pre" ? Side::kPre : Side::kPost;
}

Unit unit_of(const ordered_json& json) {
  check(json == "words" || json == "characters", ExitCode::kBadData,
        "expected words or characters, got {}", json.dump());
  return json == "words" ? Unit::kWords : Unit::kCharacters;
}

constexpr std::int64_t kMostLength = 1'000'000'000;

TextMapping mapping_from_json(const ordered_json& json, const std::string& where) {
  check(json.at("format") == kFormat, ExitCode::kBadData, "expected format {}, got {}", kFormat,
        json.at("format").dump());
  TextMapping mapping;
  mapping.rules = {unit_of(json.at("tokens")), json.at("lower_case"), json.at("filter")};
  mapping.length = json.at("length");
  mapping.padding = side_of(json.at("padding"));
  mapping.truncating = side_of(json.at("truncating"));
  mapping.next = json.value("next", false);
  mapping.column = json.value("column", "");
  mapping.table = table_mapping_from_json(json.at("table").dump(), where, true);
  mapping.vocabulary = json.at("vocabulary");
  check(mapping.length > 0 && mapping.length <= kMostLength, ExitCode::kBadData,
        "expected a length from 1 to {}, got {}", kMostLength, mapping.length);
  check(!mapping.vocabulary.empty(), ExitCode::kBadData, "expected a vocabulary, got none");
  return mapping;
}

/// The last `length` tokens or the first ones, and where they go.
void put_row(const TextMapping& mapping, const std::vector<std::int32_t>& text, std::int32_t* row) {
  const auto size = static_cast<std::int64_t>(text.size());
  const std::int64_t kept = std::min(size, mapping.length);
  const std::int64_t from = mapping.truncating == Side::kPre ? size - kept : 0;
  const std::int64_t to = mapping.padding == Side::kPre ? mapping.length - kept : 0;
  std::copy_n(text.begin() + from, kept, row + to);
}

}  // namespace

std::string_view TextMapping::token(std::int64_t number) const {
  if (number < kFirst || number >= numbers()) return "";
  return vocabulary[static_cast<std::size_t>(number - kFirst)];
}

std::string to_json_text(const TextMapping& mapping) {
  ordered_json json = {{"kind", "text"},
                       {"format", kFormat},
                       {"tokens", to_text(mapping.rules.unit)},
                       {"lower_case", mapping.rules.lower},
                       {"filter", mapping.rules.filter},
                       {"length", mapping.length},
                       {"padding", text_of(mapping.padding)},
                       {"truncating", text_of(mapping.truncating)}};
  if (mapping.next) json["next"] = true;
  if (!mapping.column.empty()) json["column"] = mapping.column;
  json["table"] = ordered_json::parse(to_json_text(mapping.table));
  json["vocabulary"] = mapping.vocabulary;
  return json.dump(-1, ' ', true);
}

bool is_text_mapping(const std::string& json) {
  const ordered_json parsed = ordered_json::parse(json, nullptr, false);
  return parsed.is_object() && parsed.value("kind", ordered_json()) == "text";
}

TextMapping text_mapping_from_json(const std::string& json, const std::string& where) {
  try {
    return mapping_from_json(ordered_json::parse(json), where);
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::kBadData,
         "[{}] expected the vocabulary of texts as lockstep import writes it: {}", where,
         error.what());
  } catch (const Error& error) {
    fail(error.code(), "[{}] in the vocabulary of texts: {}", where, error.what());
  }
}

TextEncoder::TextEncoder(const TextMapping& mapping) : mapping_(mapping) {
  auto number = static_cast<std::int32_t>(TextMapping::kFirst);
  for (const std::string& token : mapping.vocabulary) numbers_.emplace(token, number++);
}

std::vector<std::int32_t> TextEncoder::numbers(std::string_view text) const {
  std::vector<std::int32_t> result;
  mapping_.rules.for_each(text, [&](std::string_view token) {
    const auto found = numbers_.find(token);
    result.push_back(found == numbers_.end() ? std::int32_t{TextMapping::kUnknown} : found->second);
  });
  return result;
}

Array TextEncoder::rows(const std::vector<std::string_view>& texts, TextCounts& counts) const {
  std::vector<std::int32_t> all(texts.size() * static_cast<std::size_t>(mapping_.length),
                                TextMapping::kPadding);
  std::int32_t* row = all.data();
  for (const std::string_view text : texts) {
    const std::vector<std::int32_t> tokens = numbers(text);
    counts.tokens += static_cast<std::int64_t>(tokens.size());
    counts.unknown += std::ranges::count(tokens, std::int32_t{TextMapping::kUnknown});
    counts.truncated += static_cast<std::int64_t>(tokens.size()) > mapping_.length;
    counts.empty += tokens.empty();
    put_row(mapping_, tokens, row);
    row += mapping_.length;
  }
  return array_of_numbers(mapping_, all);
}

ElementType type_of_numbers(const TextMapping& mapping) {
  if (mapping.numbers() <= 1 << 8) return ElementType::kUint8;
  return mapping.numbers() <= 1 << 16 ? ElementType::kUint16 : ElementType::kInt32;
}

Array array_of_numbers(const TextMapping& mapping, const std::vector<std::int32_t>& numbers) {
  const ElementType type = type_of_numbers(mapping);
  Array array{type,
              static_cast<std::int64_t>(numbers.size()) / mapping.length,
              {mapping.length},
              std::vector<std::byte>(numbers.size() * element_size(type))};
  with_element_type(type, [&]<class T>() {
    std::ranges::transform(numbers, reinterpret_cast<T*>(array.bytes.data()),
                           [](std::int32_t number) { return static_cast<T>(number); });
  });
  return array;
}

}  // namespace lockstep
