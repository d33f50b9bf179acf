"""The trainer: one run of training, from its parameters to a registered ONNX model.

`python -m trainer` reads its parameters from the command line and from TRAIN_* variables alike, so that a person and a
Batch job start the same thing. `job` is the run from start to end; the other modules do one step of it each.
"""
