"""The names that change when a backup is restored into another stack."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rewriting:
    """Names a bucket anew, in whatever form its name stands: `s3://bucket/key`, an ARN, or a host.

    Attributes:
        old: The bucket of the stack that the backup is of.
        new: The bucket of the stack that it is restored into.
    """

    old: str
    new: str

    def line(self, line: bytes) -> bytes:
        """Return a line of the database or of a table with the new name. A longer name with this part stays."""
        if self.old == self.new:
            return line
        name = re.escape(self.old.encode())
        return re.sub(rb"(?<![a-z0-9.-])" + name + rb"(?![a-z0-9-]|\.(?!s3[.-]))", self.new.encode(), line)
