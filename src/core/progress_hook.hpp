#pragma once

#include <functional>

namespace lockstep {

/// While it lives, long exact products of this thread stop about every millisecond to call `f`: so
/// that messages go on, which MPI moves in its calls only. One at a time; destroyed by the same
/// thread.
class ProgressHook {
 public:
  explicit ProgressHook(std::function<void()> f);
  ~ProgressHook();
  ProgressHook(const ProgressHook&) = delete;
  ProgressHook& operator=(const ProgressHook&) = delete;

  /// For what takes long: whether there is something to call, and the call.
  static bool wanted();
  static void run();
};

}  // namespace lockstep
