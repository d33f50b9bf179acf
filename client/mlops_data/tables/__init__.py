"""Read tables with DuckDB.

Each step is a module. A format writes its `cells`, as text or typed: `delimited` (with `text`, `dialect` and `sample`),
`json_lines` or `parquet`. Then `inference` finds out how columns are read, `target` reads what is predicted,
`partition` splits the rows, `selection` chooses the columns, and `values` and `coding` make the numbers for the model.
"""

from mlops_data.tables.reader import read, read_json_lines, read_parquet, read_parquet_files

__all__ = ["read", "read_json_lines", "read_parquet", "read_parquet_files"]
