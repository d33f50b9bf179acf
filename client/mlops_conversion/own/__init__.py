"""Convert models that people wrote themselves: recognise them, write their ONNX graph, prove it, and describe it.

Each library has a module of its own. What a step of a pipeline does is converted by our own nodes where the general
converters are inexact, and by skl2onnx elsewhere; the proof decides about both.
"""
