#pragma once

#include "io/export/onnx_graph.hpp"
#include "io/export/recurrent_use.hpp"

namespace lockstep {

/// A cell over the steps as a Scan, whose body is one step: for masks, for what ONNX's own cells
/// cannot compute, and for convolutions.
CellOutputs onnx_scan(OnnxGraph& graph, const LayerUse& use, const CellRun& run);

}  // namespace lockstep
