#pragma once

#include "src/model/network_plan.hpp"

namespace lockstep {

/// Makes the layers and, if the shape of the input is known from the layers or else `built_for`,
/// builds the network. What cannot be made, built, or is too large, throws one error of this code
/// with the places of all such layers, before memory is allocated; so does, without `remarks`, what
/// only training lacks.
Network network_from_plan(NetworkPlan plan, ExitCode code, NetworkRemarks* remarks = nullptr);

/// The same network, connected and not built.
Network unbuilt_from_plan(NetworkPlan& plan, ExitCode code, NetworkRemarks* remarks);

}  // namespace lockstep
