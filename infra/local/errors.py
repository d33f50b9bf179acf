"""What can go wrong with the local stack, in words for the person at the terminal."""


class LocalStackError(Exception):
    """One line: the cause and the remedy. The command line prints it and exits with 1."""
