"""`python -m trainer`: do one run, or with `sweep` several runs on this machine.

`types` prints the model types, `describe` prints what is in a table, and `code` runs people's own code.

Exit codes: 0 done, 1 failed with a reason, 2 wrong parameters, 143 stopped by SIGTERM with the state kept.
"""

import faulthandler
import json
import os
import signal
import sys
from collections.abc import Sequence

from trainer.stop import EXIT_CODE, Stop

if __name__ == "__main__":
    # Before the other imports: numpy starts threads, and one that does not block SIGTERM would be ended by it, and with
    # it the process.
    on_sigterm = Stop()
    on_sigterm.listen()
    # A job that hangs says in its log where each of its threads is.
    faulthandler.register(signal.SIGUSR1)

from mlops.domain.sweep import Sweep
from trainer import invocation, job_record, models, process
from trainer.errors import FOR_USERS, Interrupted, ParameterError, Pruned
from trainer.log import log_event
from trainer.parameters import Identity
from trainer.trial import Trial


def main(argv: Sequence[str], stop: Stop) -> int:
    """Do what the arguments and the environment say, and return the exit code."""
    try:
        process.prepare()
        if argv[:1] == ["sweep"]:
            from trainer import sweep

            return sweep.main(argv[1:], stop)
        if argv[:1] == ["types"]:
            print(json.dumps(models.catalogue(), indent=1))
            return 0
        if argv[:1] == ["describe"]:
            from trainer import describe

            return describe.main(argv[1:])
        if argv[:1] == ["code"]:
            from trainer.own_code import runner

            return runner.main(stop)
        plan = invocation.sweep_of(os.environ)
        if plan and plan.learns:
            from trainer import worker

            return worker.main(argv, plan, stop)
        identity = invocation.identity(os.environ)
        try:
            parameters = invocation.parameters(argv, os.environ)
        except ParameterError as error:
            job_record.refuse(identity, str(error))
            raise
        from trainer import job

        job.run(parameters, identity, stop, _trial(plan, identity))
    except ParameterError as error:
        log_event("trainer.refused", reason=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 2
    except FOR_USERS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Pruned:
        return 0
    except Interrupted:
        return EXIT_CODE
    return 0


def _trial(plan: Sweep | None, identity: Identity) -> Trial | None:
    """Return what a run of a random sweep or a grid is told of it. Raises Unreachable, ParameterError."""
    if plan is None or not plan.ranks_by_validation or identity.job_id is None:
        return None
    if not plan.prune:
        return Trial(identity.job_id)
    from trainer.job import max_wait
    from trainer.trial_records import TrialRecords

    return TrialRecords(plan, max_wait()).trial(identity.job_id)


if __name__ == "__main__":
    code = main(sys.argv[1:], on_sigterm)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is delivered. A normal exit would need another second to free the objects of torch and MLflow.
    os._exit(code)
