"""A deeper CNN on CIFAR-10 with batch normalization and dropout."""
import os

import keras
from keras import layers, regularizers
from keras.datasets import cifar10
from keras.callbacks import CSVLogger, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau

WEIGHT_DECAY = 1e-4
num_classes = 10

(x_train, y_train), (x_test, y_test) = cifar10.load_data()
x_train = x_train.astype("float32")
x_test = x_test.astype("float32")
mean = x_train.mean(axis=(0, 1, 2, 3))
std = x_train.std(axis=(0, 1, 2, 3))
x_train = (x_train - mean) / (std + 1e-7)
x_test = (x_test - mean) / (std + 1e-7)
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)


def lr_schedule(epoch, lr):
    """Learning rate is dropped twice."""
    lrate = 0.001
    if epoch > 75:
        lrate = 0.0005
    if epoch > 100:
        lrate = 0.0003
    print("Learning rate: ", lrate)
    return lrate


model = keras.Sequential()
for block, filters in enumerate([32, 64, 128]):
    for i in range(2):
        options = {"input_shape": (32, 32, 3)} if block == 0 and i == 0 else {}
        model.add(layers.Conv2D(filters, (3, 3), padding="same",
                                kernel_regularizer=regularizers.l2(WEIGHT_DECAY), **options))
        model.add(layers.Activation("elu"))
        model.add(layers.BatchNormalization())
    model.add(layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(layers.Dropout(0.2 + 0.1 * block))
model.add(layers.Flatten())
model.add(layers.Dense(num_classes, activation="softmax"))

opt_rms = keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9)
model.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1), optimizer=opt_rms,
              metrics=["accuracy"])

checkpoint_path = os.path.join(os.getcwd(), "saved_models", "cifar10.h5")
callbacks = [
    LearningRateScheduler(lr_schedule),
    ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=5, min_lr=1e-5),
    ModelCheckpoint(checkpoint_path, monitor="val_accuracy", save_best_only=True, mode="max"),
    CSVLogger("training.csv"),
    keras.callbacks.TerminateOnNaN(),
]
model.fit(x_train, y_train, batch_size=64, epochs=125, verbose=2, validation_data=(x_test, y_test),
          callbacks=callbacks, shuffle=True)
scores = model.evaluate(x_test, y_test, batch_size=128, verbose=1)
print("\nTest result: %.3f loss: %.3f" % (scores[1] * 100, scores[0]))
