"""Why a version is not converted."""


class Refused(Exception):
    """The version is not converted. The message continues "cannot be converted:", and has the remedy."""
