"""The smallest faithful file of every format that is read, built without the readers."""
