"""The trainer: one run of training, from its parameters to a registered ONNX model.

`python -m trainer` reads its parameters from the command line or from TRAIN_* variables, so that a person and a Batch
job start the same run. `job` is the run from start to end; each of the other modules does one step.
"""
