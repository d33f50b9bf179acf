"""The error of data that cannot be read or used."""


class DataError(Exception):
    """The data set cannot be read, or cannot be used to train a model. The message says where, why, and the remedy."""
