#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "distributed/training/option_text.hpp"

namespace lockstep {

/// One option, a member of a struct: the single place that knows its name, range, help and text.
template <class Options>
struct OptionField {
  enum class Use {
    kResult,   ///< shapes the results: a run is resumed with the same value only
    kInput,    ///< as kResult, but the name of a file, which may be spelled in another way: what is
               ///< in it counts
    kRun,      ///< another value leads to the same results
    kThisCall  ///< as kRun; never written to config.cfg
  };

  std::string name;
  std::string group;     ///< heading in the help
  std::string argument;  ///< "N"; empty: a switch
  std::string help;
  Use use = Use::kRun;
  /// Sets it from text; throws Error (64) that says what was expected.
  std::function<void(Options&, const std::string& text)> read;
  /// Its text; none if it is not set.
  std::function<std::optional<std::string>(const Options&)> write;
  std::string unset = {};  ///< what it means not to be set, in words
  /// The least integer: programs may set larger ones than `read` takes, which knows typos.
  std::function<bool(const Options&)> large_enough = {};
};

/// Throws Error (64) if the value, whoever set it, is none that the option may have.
template <class Options>
void check_value(const OptionField<Options>& field, const Options& options) {
  const std::optional<std::string> text = field.write(options);
  if (!text || (field.large_enough && field.large_enough(options))) return;
  Options read_again;
  field.read(read_again, *text);
}

/// Describes members one after the other. A member may be optional: then it is written only if it
/// is set.
template <class Options>
class OptionList {
 public:
  using Field = OptionField<Options>;
  using Use = typename Field::Use;
  using Written = std::optional<std::string>;

  std::vector<Field> fields;

  void begin_group(const char* name) { group_ = name; }

  template <class Member>
  void text(const char* name, Use use, Member Options::*member, const char* argument,
            const std::string& help) {
    add(
        name, use, argument, help, member, [](const std::string& text) { return text; },
        [](const std::string& text) {
          return text.empty() && !IsOptional<Member>() ? Written() : text;
        });
  }
  template <class Integer>
  void integer(const char* name, Use use, Integer Options::*member,
               std::type_identity_t<Integer> low, std::type_identity_t<Integer> high,
               const std::string& help) {
    add(
        name, use, "N", help, member,
        [low, high](const std::string& text) { return read_integer(text, low, high); },
        [](Integer value) -> Written { return fmt::format("{}", value); });
    fields.back().large_enough = [member, low](const Options& options) {
      return options.*member >= low;
    };
  }
  /// 0, which is below `low`, stands for not set.
  template <class Integer>
  void integer_or_unset(const char* name, Use use, Integer Options::*member,
                        std::type_identity_t<Integer> low, std::type_identity_t<Integer> high,
                        const char* unset, const std::string& help) {
    integer(name, use, member, low, high, help);
    fields.back().unset = unset;
    fields.back().write = [member](const Options& options) {
      return options.*member == 0 ? Written() : fmt::format("{}", options.*member);
    };
  }
  template <class Member>
  void number(const char* name, Use use, Member Options::*member, const NumberRange& range,
              const std::string& help) {
    add(
        name, use, "X", help, member,
        [range](const std::string& text) { return read_number(text, range); },
        [](double value) -> Written { return fmt::format("{}", value); });
  }
  template <class Member>
  void flag(const char* name, Use use, Member Options::*member, const std::string& help) {
    add(name, use, "", help, member, read_switch,
        [](bool value) -> Written { return value ? "true" : "false"; });
  }
  template <class Member, class T>
  void choice(const char* name, Use use, Member Options::*member, const char* argument,
              const Choices<T>& choices, const std::string& help) {
    add(
        name, use, argument, help, member,
        [choices](const std::string& text) { return read_choice(text, choices); },
        [choices](T value) -> Written { return word_of(value, choices); });
  }
  /// Whatever else there is; its group is the list's.
  void other(Field field) {
    field.group = group_;
    fields.push_back(std::move(field));
  }
  /// The fields of a member that is a struct itself, of the list's group.
  template <class Part>
  void part(const std::vector<OptionField<Part>>& part_fields, Part Options::*member) {
    for (const OptionField<Part>& field : part_fields) {
      if (field.group != group_) continue;
      other(
          {field.name, group_, field.argument, field.help, static_cast<Use>(field.use),
           [member, read = field.read](Options& options, const std::string& text) {
             read(options.*member, text);
           },
           [member, write = field.write](const Options& options) { return write(options.*member); },
           field.unset});
    }
  }

 private:
  template <class T>
  struct IsOptional : std::false_type {};
  template <class T>
  struct IsOptional<std::optional<T>> : std::true_type {};

  template <class Member, class Read, class Write>
  void add(const char* name, Use use, const char* argument, const std::string& help,
           Member Options::*member, Read read, Write write) {
    other({name, group_, argument, help, use,
           [member, read](Options& options, const std::string& text) {
             options.*member = read(text);
           },
           [member, write](const Options& options) -> Written {
             if constexpr (IsOptional<Member>()) {
               return options.*member ? write(*(options.*member)) : std::nullopt;
             } else {
               return write(options.*member);
             }
           }});
  }

  std::string group_;
};

}  // namespace lockstep
