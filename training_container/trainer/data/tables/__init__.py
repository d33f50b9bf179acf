"""Tables: delimited text files, read by DuckDB.

The steps are apart: `text` (encoding), `dialect` (delimiter and names), `cells` (the rows as they are written),
`inference` (what a column holds), `target` (the labels) and `features` (the numbers that today's models take).
"""

from trainer.data.tables.reader import read

__all__ = ["read"]
