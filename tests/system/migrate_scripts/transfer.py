"""Transfer learning: a new head on a trained network, then fine-tuning at a low rate."""
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

data = np.load("flowers.npz")
x_train, y_train = data["x"], data["y"]
x_val, y_val = data["x_val"], data["y_val"]

base_model = keras.models.load_model("pretrained.h5")
base_model.trainable = False

x = base_model.layers[-2].output
x = layers.Dropout(0.2)(x)
outputs = layers.Dense(5, activation="softmax", name="flowers")(x)
model = keras.Model(base_model.input, outputs)

model.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy",
              metrics=["accuracy"])
model.fit(x_train, y_train, epochs=3, validation_data=(x_val, y_val))

# Unfreeze the base model, and train all of it at a very low rate.
base_model.trainable = True
model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy",
              metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, validation_data=(x_val, y_val))
model.save("flowers.h5")
