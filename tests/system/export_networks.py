"""Networks as people have them, and of every layer, for tests of what other programs read."""


def tensor(name, shape):
    return {"class_name": "__keras_tensor__",
            "config": {"shape": [None, *shape], "dtype": "float32", "keras_history": [name, 0, 0]}}


def functional(name, input_shape, nodes):
    """Keras's JSON of (layer, class, config, names of its inputs); several inputs of an attention are arguments."""
    layers = [{"class_name": "InputLayer", "name": "input", "inbound_nodes": [],
               "config": {"name": "input", "batch_input_shape": [None, *input_shape], "dtype": "float32"}}]
    for layer, kind, config, inputs in nodes:
        calls = [[[source, 0, 0, {}] for source in inputs]]
        if kind == "MultiHeadAttention":
            calls = [{"args": [tensor(source, input_shape) for source in inputs], "kwargs": {}}]
        layers.append({"class_name": kind, "name": layer, "config": {"name": layer, **config}, "inbound_nodes": calls})
    return {"class_name": "Functional",
            "config": {"name": name, "layers": layers, "input_layers": [["input", 0, 0]],
                       "output_layers": [[nodes[-1][0], 0, 0]]}}


def convolution(name, source, filters, strides=1):
    return [(name, "Conv2D", {"filters": filters, "kernel_size": [3, 3], "strides": [strides, strides],
                              "padding": "same", "use_bias": False}, [source]),
            (name + "_norm", "BatchNormalization", {}, [name])]


def residual():
    return functional("residual", (8, 8, 2), [
        *convolution("stem", "input", 4), ("a", "Activation", {"activation": "relu"}, ["stem_norm"]),
        *convolution("inner", "a", 4), ("sum", "Add", {}, ["inner_norm", "a"]),
        ("b", "Activation", {"activation": "relu"}, ["sum"]),
        *convolution("down", "b", 6, 2),
        ("short", "Conv2D", {"filters": 6, "kernel_size": [1, 1], "strides": [2, 2]}, ["b"]),
        ("sum2", "Add", {}, ["down_norm", "short"]),
        ("pool", "GlobalAveragePooling2D", {}, ["sum2"]),
        ("drop", "Dropout", {"rate": 0.25}, ["pool"]),
        ("output", "Dense", {"units": 3, "activation": "softmax"}, ["drop"])])


def transformer():
    attention = {"num_heads": 2, "key_dim": 3, "value_dim": 3, "dropout": 0.0, "use_bias": True}
    return functional("transformer", (6, 8), [
        ("attention", "MultiHeadAttention", attention, ["input", "input"]),
        ("sum", "Add", {}, ["input", "attention"]),
        ("norm", "LayerNormalization", {"axis": [-1], "epsilon": 1e-6}, ["sum"]),
        ("wide", "Dense", {"units": 16, "activation": "gelu"}, ["norm"]),
        ("narrow", "Dense", {"units": 8}, ["wide"]),
        ("sum2", "Add", {}, ["norm", "narrow"]),
        ("norm2", "LayerNormalization", {"axis": [-1], "epsilon": 1e-3}, ["sum2"]),
        ("pool", "GlobalAveragePooling1D", {}, ["norm2"]),
        ("output", "Dense", {"units": 3, "activation": "softmax"}, ["pool"])])


#: name: (input shape, output shape of one row or None for 3 classes, `--layers` or Keras's JSON)
NETWORKS = {
    "mlp": ((12,), None, "Dense(16, relu), Dropout(0.25), Dense(8, tanh), Dense(3, softmax)"),
    "cnn": ((8, 8, 2), None, "Conv2D(4, 3, activation='relu'), MaxPooling2D(2), Conv2D(6, 2, padding='same'), LeakyReLU(0.2), "
            "Flatten(), Dense(3, softmax)"),
    "residual": ((8, 8, 2), None, residual()),
    "depthwise": ((9, 9, 3), None, "DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2), "
                  "BatchNormalization(), ReLU(6.0), SeparableConv2D(5, 3, padding='same'), GlobalMaxPooling2D(), "
                  "Dense(3, softmax)"),
    "bilstm": ((7, 4), None, "Bidirectional(LSTM(5, return_sequences=True)), Bidirectional(LSTM(3)), "
               "Dense(3, softmax)"),
    "gru": ((7, 4), None, "GRU(6, return_sequences=True), GRU(4, reset_after=False), Dense(3, softmax)"),
    "functions": ((7, 4), None, "LSTM(5, activation='linear', recurrent_activation='hard_sigmoid', return_sequences=True), "
                  "LSTM(4, activation='leaky_relu', return_sequences=True), GRU(4, activation='elu', "
                  "return_sequences=True), LSTM(4, activation='hard_sigmoid'), Dense(3, softmax)"),
    "cnn1d": ((16, 3), None, "Conv1D(5, 3, padding='causal', dilation_rate=2, activation='relu'), "
              "AveragePooling1D(2), Conv1D(4, 2, strides=2), GlobalAveragePooling1D(), Dense(3, softmax)"),
    "transformer": ((6, 8), None, transformer()),
    "autoencoder": ((8, 8, 1), (8, 8, 1), "Conv2D(4, 3, strides=2, padding='same', activation='relu'), "
                    "Conv2D(3, 3, strides=2, padding='same', activation='relu'), UpSampling2D(2), "
                    "Conv2D(4, 3, padding='same', activation='relu'), "
                    "Conv2DTranspose(1, 3, strides=2, padding='same', activation='sigmoid')"),
    "generator": ((10,), (8, 8, 1), "Dense(24, use_bias=False), BatchNormalization(), LeakyReLU(0.3), "
                  "Reshape((2, 2, 6)), Conv2DTranspose(4, 5, padding='same', use_bias=False), BatchNormalization(), "
                  "LeakyReLU(0.3), Conv2DTranspose(3, 5, strides=2, padding='same', use_bias=False), "
                  "BatchNormalization(), LeakyReLU(0.3), "
                  "Conv2DTranspose(1, 5, strides=2, padding='same', activation='tanh')"),
}

#: What is not in these, a layer at least once: as NETWORKS. What goes over sequences: sequence_networks.py.
OTHERS = {
    "conv1dt": ((7, 3), None, "Conv1DTranspose(4, 4, strides=3, padding='same'), "
                "Conv1DTranspose(2, 2, strides=3, activation='elu'), Flatten(), Dense(3, softmax)"),
    "conv3d": ((5, 6, 4, 2), None, "Conv3D(4, 2, strides=2, padding='same', activation='silu'), MaxPooling3D(2, padding='same'), "
               "UpSampling3D(2), AveragePooling3D(2), Conv3DTranspose(3, 2, strides=2), "
               "ZeroPadding3D(1), Cropping3D(1), GlobalAveragePooling3D(), Dense(3, softmax)"),
    "conv2d": ((9, 10, 4), None, "Conv2D(6, 3, groups=2, activation='gelu'), AveragePooling2D(3, strides=2, padding='same'), "
               "ZeroPadding2D(((1, 2), (0, 1))), Cropping2D(((0, 1), (1, 0))), UpSampling2D(2, interpolation='bilinear'), "
               "Conv2D(3, 2, padding='same', dilation_rate=2, activation='mish'), AdaptiveAveragePooling2D(4), "
               "AdaptiveMaxPooling2D(3), GroupNormalization(3), SpatialDropout2D(0.1), GlobalMaxPooling2D(keepdims=True), "
               "Flatten(), Dense(3, softmax)"),
    "conv1d": ((12, 4), None, "SeparableConv1D(5, 3, padding='same'), DepthwiseConv1D(3), MaxPooling1D(2, padding='same'), "
               "ZeroPadding1D(2), Cropping1D(1), UpSampling1D(2), PReLU(shared_axes=[1]), AdaptiveMaxPooling1D(4), "
               "RMSNormalization(), UnitNormalization(), SpatialDropout1D(0.1), GlobalMaxPooling1D(), Dense(3, softmax)"),
    "shapes": ((6,), None, "Rescaling(0.5, offset=0.1), RepeatVector(4), Permute((2, 1)), Masking(0.0), PReLU(), "
               "LayerNormalization(), GaussianNoise(0.1), ActivityRegularization(1e-4), GaussianDropout(0.1), AlphaDropout(0.1), "
               "Reshape((3, 8)), Dense(5, hard_sigmoid), ELU(0.7), ReLU(1.5, negative_slope=0.1, threshold=0.2), Flatten(), "
               "Dense(3), Softmax()"),
    "rnn": ((6, 3), None, "SimpleRNN(4, return_sequences=True, go_backwards=True), "
            "Bidirectional(GRU(3, return_sequences=True), merge_mode='mul'), "
            "Bidirectional(SimpleRNN(5, activation='relu'), merge_mode='ave'), Dense(3, softmax)"),
    "activations": ((5,), None, ", ".join(f"Dense(5, {name})" for name in (
        "selu", "softplus", "softsign", "leaky_relu", "relu6", "hard_silu", "hard_tanh", "log_sigmoid", "squareplus",
        "sparse_plus", "sparse_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink", "log_softmax", "exponential")) +
        ", Dense(3, softmax)"),
    "first": ((2, 8, 7), None, "Conv2D(4, 3, data_format='channels_first', activation='relu'), "
              "MaxPooling2D(2, data_format='channels_first'), Flatten(data_format='channels_first'), Dense(3, softmax)"),
    "words": ((6,), None, "TokenAndPositionEmbedding(9, 6, 8), TransformerEncoder(12, 2), "
              "TransformerDecoder(12, 2, normalize_first=True), Flatten(), Dense(3, softmax)"),
    "positions": ((4, 6), None, functional("positions", (4, 6), [
        ("sine", "SinePositionEncoding", {"max_wavelength": 100}, ["input"]),
        ("learnt", "PositionEmbedding", {"sequence_length": 5}, ["input"]),
        ("sum", "Add", {}, ["input", "sine", "learnt"]), ("flat", "Flatten", {}, ["sum"]),
        ("output", "Dense", {"units": 3, "activation": "softmax"}, ["flat"])])),
    "merging": ((4, 6), None, functional("merging", (4, 6), [
        ("a", "Dense", {"units": 5}, ["input"]), ("b", "Dense", {"units": 5, "use_bias": False}, ["input"]),
        ("sub", "Subtract", {}, ["a", "b"]), ("mul", "Multiply", {}, ["sub", "a"]),
        ("ave", "Average", {}, ["mul", "a", "b"]), ("max", "Maximum", {}, ["ave", "b"]),
        ("min", "Minimum", {}, ["max", "a"]), ("cat", "Concatenate", {"axis": -1}, ["min", "sub"]),
        ("dot", "Dot", {"axes": [2, 2], "normalize": True}, ["min", "max"]), ("flat", "Flatten", {}, ["dot"]),
        ("pool", "GlobalAveragePooling1D", {}, ["cat"]), ("all", "Concatenate", {"axis": 1}, ["flat", "pool"]),
        ("output", "Dense", {"units": 3, "activation": "softmax"}, ["all"])])),
}
