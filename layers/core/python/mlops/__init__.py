"""The package that the platform's functions and its trainer share.

`domain` has the rules and types. `api`, `aws` and `registry` adapt HTTP, AWS and MLflow to it. `inference` loads ONNX
models and asks them. These four do not import each other. All of them may import `settings`.
"""

__version__ = "0.1.0"
