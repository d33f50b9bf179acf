"""Score tables of any size: stream rows from a file, ask the model as predict does, and write Parquet.

Batch predictions and `mlops score` use it. Of the platform it imports `mlops_contract` only: which files it reads and
writes is its callers' affair.
"""
