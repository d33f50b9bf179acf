"""The model as one ONNX file that describes itself, checked against the model that it was made from."""

from trainer.export.export import Exported, export

__all__ = ["Exported", "export"]
