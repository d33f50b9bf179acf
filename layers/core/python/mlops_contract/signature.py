"""MLflow's signature of a contract. Imports only the standard library."""

from typing import Any

from mlops_contract.columns import ColumnType
from mlops_contract.contract import Contract


def signature_columns(contract: Contract) -> list[dict[str, Any]]:
    """Return the columns as MLflow's signatures have them: type, name and required.

    MLflow has no missing whole numbers, so a nullable one is a double.
    """
    return [
        {
            "type": "double" if column.type is ColumnType.LONG and column.null_ok else column.type.value,
            "name": column.name,
            "required": not (column.null_ok or column.absent_ok),
        }
        for column in contract.columns
    ]
