#pragma once

#include "src/model/network.hpp"

/// Networks of bits.cpp that are no chains.
namespace lockstep {

/// Residuals around sums over the batch, a layer that is used twice, and every way to merge.
Network branches();
/// Recurrent layers whose states begin others.
Network translator();
/// The activations that the chains lack, beside each other: of numbers from about -8 to 8.
Network activations();
/// Two stages of a convolutional residual network, on images.
Network residuals();
/// Attention across inputs of three kinds, causal and not, one layer used twice.
Network attention();
/// The other forms of attention, of one head and of heads that share keys.
Network dense_attention();

/// Both behind the mask of an Embedding, and convolutions of what comes of it.
Network masked_attention();

}  // namespace lockstep
