"""A small residual network, as in the guide of Keras's functional API."""
import keras
from keras import layers


def residual_block(x, filters):
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False,
                      kernel_initializer="he_normal")(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False,
                      kernel_initializer=keras.initializers.HeNormal())(y)
    y = layers.BatchNormalization()(y)
    return layers.Activation("relu")(layers.add([x, y]))


def build_model(num_classes=10, filters=16):
    inputs = keras.Input(shape=(28, 28, 1), name="img")
    x = layers.Conv2D(filters, 3, activation="relu")(inputs)
    x = layers.MaxPooling2D(3)(x)
    for _ in range(2):
        x = residual_block(x, filters)
    shortcut = layers.Conv2D(filters, 1)(x)
    x = x + shortcut
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(num_classes)(x)
    return keras.Model(inputs, outputs, name="toy_resnet")


def main():
    (x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    x_train = x_train[..., None] / 255.0
    x_test = x_test[..., None] / 255.0
    y_train = keras.utils.to_categorical(y_train, 10)
    y_test = keras.utils.to_categorical(y_test, 10)

    model = build_model()
    model.summary()
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate=1e-3, weight_decay=0.01, clipnorm=1.0),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
    )
    model.fit(x_train, y_train, batch_size=64, epochs=1, validation_split=0.2)
    model.evaluate(x_test, y_test)


if __name__ == "__main__":
    main()
