"""What the name and the first bytes of a file of labels say, before its rows are read."""

from collections.abc import Collection

from mlops_contract.table_files import FileRefused, columns_in_head

IDS = ("prediction_id", "id")
COLUMNS = (*IDS, "row", "label", "observed_at")


def check_columns(name: str, columns: Collection[str]) -> None:
    """Check that a file says of which prediction each label is. Raises FileRefused."""
    if "label" not in columns:
        raise FileRefused(f"{name}: has no column 'label', for the true labels or quantities; add it, or rename one")
    if not {*IDS}.intersection(columns):
        raise FileRefused(f"{name}: must have the column 'prediction_id' or 'id', which says whose label it is")


def check_head(name: str, head: bytes) -> None:
    """Check the first `HEAD_BYTES` of a file. Raises FileRefused."""
    if (columns := columns_in_head(name, head, COLUMNS)) is not None:
        check_columns(name, columns)
