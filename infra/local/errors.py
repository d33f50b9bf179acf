"""The error of the local stack's commands."""


class LocalStackError(Exception):
    """An error with a message in one line: cause and remedy. The command line prints it, and exits with 1."""
