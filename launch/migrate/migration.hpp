#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// One `fit` of a script, as `lockstep train` does it.
struct MigratedRun {
  using Settings = std::vector<std::pair<std::string, std::string>>;

  int line = 0;                 ///< of the fit
  std::string import;           ///< the command that makes the dataset; empty: the script makes it
  std::string data;             ///< its file
  std::size_t data_number = 1;  ///< `data`, if runs have rows of their own: data-2.h5
  std::set<int> lines = {};     ///< that make its rows
  Settings arrays = {};         ///< its datasets, and the script's expressions for them
  std::set<std::string> names;  ///< that the script has given when fit begins
  Settings settings = {};       ///< an empty key: an empty line
  std::string model_json = {};  ///< if the network is no chain of layers
  std::string saved_as = {};    ///< what a ModelCheckpoint calls its best network

  void set(const std::string& key, const std::string& value) { settings.emplace_back(key, value); }
};

/// What a script has become, and what of it has not been understood.
struct Migration {
  struct Unread {
    std::string reason;
    bool fatal = false;     ///< without it, it would be another network
    std::string text = {};  ///< the line, to be quoted
  };
  std::vector<MigratedRun> runs;
  std::map<int, Unread> unread;    ///< by line
  std::vector<std::string> notes;  ///< what was assumed, or is done otherwise
};

/// Reads a Keras script, without running it. Throws Error (65): the line that is not Python 3.
Migration migrate(const std::string& script, const std::string& name);

}  // namespace lockstep
