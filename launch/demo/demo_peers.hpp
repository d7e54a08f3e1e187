#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launch/demo/demo_program.hpp"
#include "launch/demo/demo_report.hpp"

namespace lockstep {

/// What the demo asks other programs about: the Pythons in PATH, if they have Keras or PyTorch.
class DemoPeers {
 public:
  /// Scripts and logs go to `directory`.
  DemoPeers(std::filesystem::path directory, Meanwhile meanwhile);

  /// Whether Keras opens `model` and predicts what lockstep has predicted for x_test of `data`.
  Proof open_with_keras(const std::filesystem::path& model, const std::filesystem::path& data,
                        const std::filesystem::path& predictions) const;
  /// One line: how fast PyTorch trains the same network in one process with one thread, beside
  /// `our_rate`, or why that was not tried. Not a proof: nothing is claimed.
  std::string pytorch_beside(const std::filesystem::path& data, int epochs, int batch_size,
                             double our_rate) const;

 private:
  /// The words behind RESULT, or why there are none.
  struct Answer {
    std::vector<std::string> words;
    std::string reason;
  };
  Answer ask(const std::string& name, const char* script,
             const std::vector<std::string>& arguments) const;

  std::filesystem::path directory_;
  Meanwhile meanwhile_;
};

}  // namespace lockstep
