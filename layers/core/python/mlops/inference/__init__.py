"""Loads and asks ONNX models. predict answers with this package, and the gate tries a model with the same one.

It needs numpy, onnxruntime and orjson, which the inference layer holds; no other package of `mlops` imports it.
"""
