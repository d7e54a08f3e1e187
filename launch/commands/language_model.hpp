#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/keras/keras_file.hpp"
#include "io/text/text_mapping.hpp"
#include "launch/commands/next_token.hpp"

namespace lockstep {

/// A network that tells the next token at each of its positions from those before, with the
/// vocabulary in its file.
class LanguageModel {
 public:
  /// `name`: the file's, for messages. Throws Error (65): no vocabulary, or one of texts with
  /// labels; inputs that are no (T), or outputs that are no (T, numbers) or wider.
  LanguageModel(LoadedModel loaded, std::string name);

  const TextMapping& mapping() const { return mapping_; }
  /// The numbers of a prompt. Throws Error (64) for a token that the vocabulary lacks, with its
  /// place, for no token, and for what is not UTF-8.
  std::vector<std::int32_t> numbers(const std::string& prompt) const;

  /// Appends `count` numbers, each drawn by what the network says of the last T before it; number i
  /// is a function of the seed and i alone. Throws Error: 65 for a network whose outputs depend on
  /// what comes later, 70 as next_token().
  void extend(std::vector<std::int32_t>& numbers, std::int64_t count, const Sampling& sampling,
              std::uint64_t seed) const;

 private:
  std::span<const float> outputs_after(std::span<const std::int32_t> numbers, std::int32_t filler,
                                       const Workspace& workspace) const;
  void check_causal(std::span<const std::int32_t> numbers, const Workspace& workspace) const;

  LoadedModel loaded_;
  std::string name_;
  TextMapping mapping_;
  std::int64_t context_ = 0;  ///< T
  bool probabilities_ = false;
};

}  // namespace lockstep
