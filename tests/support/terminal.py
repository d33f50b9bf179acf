"""Commands of `mlops` in this process, as on a terminal of some width."""


def terminal(columns: int) -> dict[str, str]:
    """The variables with which rich takes a stream for a terminal that shows neither colours nor other styles."""
    return {"TTY_COMPATIBLE": "1", "TERM": "dumb", "LINES": "50", "COLUMNS": str(columns)}
