"""What the process that loads a model hands to the one that stores the result: files in a folder.

Foreign code may have written them, so they are read with limits, and nothing is followed or unpickled.
"""

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL, PROOF, EXPLANATION = "model.onnx", "proof.npz", "explain.npz"
OUTCOME, STAGE = "outcome.json", "stage.txt"
_OUTCOME_BYTES = 100_000
_STAGE_CHARACTERS = 200


@dataclass(frozen=True)
class File:
    """The content of a file, and its hash."""

    data: bytes
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """How a conversion ended.

    Attributes:
        reason: Why the model was not converted; None if it was.
        task: What it predicts.
        notes: Remarks for people.
    """

    reason: str | None = None
    task: str | None = None
    notes: tuple[str, ...] = ()


class Handover:
    """The folder between the two processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self,
        outcome: Outcome,
        model: bytes | None = None,
        proof: bytes | None = None,
        explanation: bytes | None = None,
    ) -> None:
        """Hand over the files, and then how it ended."""
        for name, data in ((MODEL, model), (PROOF, proof), (EXPLANATION, explanation)):
            if data is not None:
                (self._folder / name).write_bytes(data)
        document = {"reason": outcome.reason, "task": outcome.task, "notes": outcome.notes}
        (self._folder / OUTCOME).write_text(json.dumps(document))

    def reach(self, stage: str) -> None:
        """Say what is done next, for the case that it takes too long or ends the process."""
        (self._folder / STAGE).write_text(stage)

    def stage(self) -> str:
        """Return what was done last."""
        found = self.read(STAGE, 4 * _STAGE_CHARACTERS)
        return found.data.decode(errors="replace")[:_STAGE_CHARACTERS] if found else "starting"

    def outcome(self) -> Outcome | None:
        """Return how it ended; None if the folder does not say it."""
        found = self.read(OUTCOME, _OUTCOME_BYTES)
        try:
            document: Any = json.loads(found.data) if found else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict):
            return None
        reason, task, notes = (document.get(name) for name in ("reason", "task", "notes"))
        listed = notes if isinstance(notes, list) else []
        return Outcome(
            str(reason) or "no reason was given" if reason is not None else None,
            str(task) if task is not None else None,
            tuple(map(str, listed)),
        )

    def read(self, name: str, most_bytes: int) -> File | None:
        """Return a regular file of at most `most_bytes`; None if there is none."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        with open(descriptor, "rb") as file:
            data = file.read(most_bytes + 1)
        if not data or len(data) > most_bytes:
            return None
        return File(data, hashlib.sha256(data).hexdigest())
