#pragma once

#include <cstddef>
#include <new>
#include <string>
#include <utility>

namespace lockstep {

/// std::bad_alloc that says how much was wanted, and for what.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// "45.8 MiB".
std::string mebibytes(std::size_t bytes);

/// "out of memory: expected 45.8 MiB for x; this process has 310.2 MiB of the 351.6 MiB that ulimit
/// -v allows": `error` as a message, with what is known of it.
std::string out_of_memory(const std::bad_alloc& error);

/// Runs f(). A std::bad_alloc that comes out says that it was for `what`: "the optimizer's state".
template <class F>
auto allocating(const std::string& what, const F& f) {
  try {
    return f();
  } catch (const OutOfMemory& error) {
    throw OutOfMemory(std::string(error.what()) + " for " + what);
  } catch (const std::bad_alloc&) {
    throw OutOfMemory("expected memory for " + what);
  }
}

}  // namespace lockstep
