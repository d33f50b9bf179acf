"""Convert trees exactly: scikit-learn, LightGBM and XGBoost, from their own dumps to one ONNX `TreeEnsemble`.

Each reader makes a `Forest`, and one writer makes the ONNX model of it. The general converters round the libraries'
double thresholds to the nearest float32, so rows at a threshold take the other branch. Here they are rounded down.
"""

from mlops_conversion.trees.convert import Trees, convert, explanation, read, thresholds
from mlops_conversion.trees.forest import Forest, Output, Tree
from mlops_conversion.trees.writer import to_onnx

__all__ = ["Forest", "Output", "Tree", "Trees", "convert", "explanation", "read", "thresholds", "to_onnx"]
