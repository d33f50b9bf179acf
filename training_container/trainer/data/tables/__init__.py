"""Read tables from delimited text files (CSV) with DuckDB.

Each step is a module: `text` (encoding), `dialect` (delimiter and names), `cells` (rows as they are written),
`inference` (the content of columns), `target` (labels) and `features` (the numbers for the model).
"""

from trainer.data.tables.reader import read

__all__ = ["read"]
