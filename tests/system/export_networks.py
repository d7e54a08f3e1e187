"""Ten networks as people have them, for tests of what other programs read."""


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
    "cnn": ((8, 8, 2), None, "Conv2D(4, 3, relu), MaxPooling2D(2), Conv2D(6, 2, padding='same'), LeakyReLU(0.2), "
            "Flatten(), Dense(3, softmax)"),
    "residual": ((8, 8, 2), None, residual()),
    "depthwise": ((9, 9, 3), None, "DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2), "
                  "BatchNormalization(), ReLU(6.0), SeparableConv2D(5, 3, padding='same'), GlobalMaxPooling2D(), "
                  "Dense(3, softmax)"),
    "bilstm": ((7, 4), None, "Bidirectional(LSTM(5, return_sequences=True)), Bidirectional(LSTM(3)), "
               "Dense(3, softmax)"),
    "gru": ((7, 4), None, "GRU(6, return_sequences=True), GRU(4, reset_after=False), Dense(3, softmax)"),
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
