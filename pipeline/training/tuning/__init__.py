"""The search for hyperparameters: Keras Tuner proposes, the own trainer tries."""
