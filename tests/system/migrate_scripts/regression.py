import numpy as np
from keras.models import Sequential
from keras.layers import *
from keras.optimizers import SGD
import pandas as pd

def build_model(n_features, hidden=[64, 64], rate=0.1):
    model = Sequential()
    model.add(Input(shape=(n_features,)))
    for units in hidden:
        model.add(Dense(units, kernel_initializer='normal'))
        model.add(LeakyReLU(alpha=0.1))
        if rate > 0:
            model.add(Dropout(rate))
    model.add(Dense(1))
    opt = SGD(0.01, momentum=0.9, nesterov=True)
    model.compile(loss='mse', optimizer=opt, metrics=['mae', 'mse'])
    return model

df = pd.read_csv('auto-mpg.csv').dropna()
X = df.drop('MPG', axis=1).values
y = df.pop('MPG').values
X = (X - X.mean(axis=0)) / X.std(axis=0)

model = build_model(9)
history = model.fit(X, y, epochs=100, validation_split=0.2, verbose=0, batch_size=10)
hist = pd.DataFrame(history.history)
hist['epoch'] = history.epoch
print(hist.tail())
