"""Search for hyperparameters: Keras Tuner proposes trials, and our trainer runs each trial."""
