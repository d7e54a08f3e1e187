#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/communicator.hpp"
#include "tests/io/io_test_support.hpp"

/// Helpers of tests that run on any number of ranks.
namespace lockstep::test {

inline Communicator world() {
  return Communicator(MPI_COMM_WORLD);
}
inline Communicator alone() {
  return Communicator(MPI_COMM_SELF);
}

/// That every rank has the same text. Collective.
inline void expect_same_everywhere(const Communicator& communicator, const std::string& text) {
  for (const std::string& other : communicator.all_gather(text)) EXPECT_EQ(other, text);
}

/// That `call` throws a CollectiveError of this code on this rank, whose message has all of these
/// words, and the same message on every rank. Collective.
template <class Call>
void expect_collective_error(const Communicator& communicator, ExitCode code,
                             const std::vector<std::string>& words, const Call& call) {
  std::string message = "nothing was thrown";
  try {
    call();
    ADD_FAILURE() << "expected a CollectiveError, got none";
  } catch (const CollectiveError& error) {
    message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    for (const std::string& word : words) EXPECT_THAT(message, testing::HasSubstr(word));
  } catch (const std::exception& error) {
    message = error.what();
    ADD_FAILURE() << "expected a CollectiveError, got " << message;
  }
  expect_same_everywhere(communicator, message);
}

/// One temporary directory for all ranks; rank 0 makes and removes it.
class SharedDirectory {
 public:
  /// Collective.
  explicit SharedDirectory(const Communicator& communicator) : communicator_(communicator) {
    if (communicator.is_root()) directory_ = std::make_unique<TemporaryDirectory>();
    path_ = communicator.broadcast(directory_ ? directory_->path().string() : std::string());
  }
  ~SharedDirectory() { communicator_.barrier(); }
  SharedDirectory(const SharedDirectory&) = delete;
  SharedDirectory& operator=(const SharedDirectory&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  const Communicator& communicator_;
  std::unique_ptr<TemporaryDirectory> directory_;
  std::filesystem::path path_;
};

}  // namespace lockstep::test
