"""One measurement in a process of its own: `python -m benchmarks.tables.one trainer|bare|read FILE …` prints JSON."""

import json
import sys
from pathlib import Path

from trainer import process


def main(side: str, file: str, *rest: str) -> None:
    """Measure a training on either side, or the memory of reading."""
    # For both sides: the default lets waiting threads spin, which counts as processor time.
    process.prepare()
    from benchmarks.tables import bare, through_trainer

    if side == "read":
        print(json.dumps(through_trainer.read(Path(file))))
        return
    model_type, rounds = rest
    train = {"trainer": through_trainer.train, "bare": bare.train}[side]
    print(json.dumps(train(Path(file), model_type, int(rounds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
