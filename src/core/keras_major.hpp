#pragma once

namespace lockstep {

/// Whose words a config is in: hard_sigmoid, for one, is another function since Keras 3.
enum class KerasMajor { k2 = 2, k3 = 3 };

}  // namespace lockstep
