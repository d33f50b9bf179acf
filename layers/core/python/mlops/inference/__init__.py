"""Load ONNX models and ask them for predictions, in predict and in promotion's gate.

It needs numpy, onnxruntime and orjson from the inference layer. No other package of `mlops` imports it.
"""
