"""The error of what cannot be converted."""


class CannotConvert(Exception):
    """The model cannot become an ONNX model that answers as it does. The message says why, and the remedy."""
