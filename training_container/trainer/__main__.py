"""`python -m trainer`: one run, or with `sweep` many on this machine.

Exit codes: 0 done, 1 failed with a reason, 2 wrong parameters, 143 stopped by SIGTERM with the state kept.
"""

import os
import sys
from collections.abc import Sequence

# Before torch is loaded: its threads then sleep while they wait for each other. Spinning is a little quicker on an idle
# machine and many times slower on a shared one, where they spin away the time that the awaited thread needs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from trainer import parameters, record
from trainer.errors import Interrupted, ParameterError, TrainingError
from trainer.log import say
from trainer.stop import EXIT_CODE, Stop


def main(argv: Sequence[str]) -> int:
    stop = Stop()
    stop.listen()
    try:
        if argv[:1] == ["sweep"]:
            from trainer import sweep

            return sweep.main(argv[1:], stop)
        identity = parameters.identity(os.environ)
        try:
            asked = parameters.of_process(argv, os.environ)
        except ParameterError as error:
            record.refused(identity, str(error))
            raise
        from trainer import job

        job.run(asked, identity, stop)
    except ParameterError as error:
        say("trainer.refused", reason=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Interrupted:
        return EXIT_CODE
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is delivered. Taking torch and MLflow down object by object would take another second.
    os._exit(code)
