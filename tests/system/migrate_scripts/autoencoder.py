import keras
from keras import layers
from keras.datasets import mnist
import numpy as np

# This is the size of our encoded representations
encoding_dim = 32

encoder = keras.Sequential([keras.Input(shape=(784,)),
                            layers.Dense(128, activation='relu'),
                            layers.Dense(encoding_dim, activation='relu')], name='encoder')
decoder = keras.Sequential([keras.Input(shape=(encoding_dim,)),
                            layers.Dense(128, activation='relu'),
                            layers.Dense(784, activation='sigmoid')], name='decoder')

input_img = keras.Input(shape=(784,))
autoencoder = keras.Model(input_img, decoder(encoder(input_img)))
autoencoder.compile(optimizer='adam', loss='binary_crossentropy')

(x_train, _), (x_test, _) = mnist.load_data()
x_train = x_train.astype('float32') / 255.
x_test = x_test.astype('float32') / 255.
x_train = x_train.reshape((len(x_train), np.prod(x_train.shape[1:])))
x_test = x_test.reshape((len(x_test), np.prod(x_test.shape[1:])))

autoencoder.fit(x_train, x_train,
                epochs=50,
                batch_size=256,
                shuffle=True,
                validation_data=(x_test, x_test))
encoded_imgs = encoder.predict(x_test)
decoded_imgs = decoder.predict(encoded_imgs)
