"""The lock of MLflow's tables: of tracking servers together, or of a migration alone. It ends with its connection."""

_NAME = "hashtext('mlops.migrate')"
ALONE = f"SELECT pg_try_advisory_lock({_NAME})"
"""Takes the lock if nobody has it, and says whether it did."""
WITH_OTHERS = f"SELECT pg_advisory_lock_shared({_NAME})"
"""Waits for a migration."""
