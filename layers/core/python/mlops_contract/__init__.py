"""What callers may send to a model of tables: its named columns, and how their values become the model's inputs.

predict, promotion's gate, the trainer, the conversion and batch scoring share it. `columns` and `contract` need the
standard library only, because functions without numpy read manifests; `session` needs onnxruntime, and the other
modules numpy.
"""

from mlops_contract.columns import DATE_PARTS, Column, ColumnType
from mlops_contract.contract import Contract, ContractError, Task

__all__ = ["DATE_PARTS", "Column", "ColumnType", "Contract", "ContractError", "Task"]
