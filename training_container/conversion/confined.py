"""`python -m conversion.confined MODEL MADE`: load a model and convert it, without any rights.

It always hands over an outcome with a reason that people can act on. What it prints goes to the job's log.
"""

import logging
import sys
import traceback
from pathlib import Path

from conversion.errors import Refused
from conversion.handover import Handover, Outcome
from conversion.logged_model import LoggedModel
from conversion.rows import rows_for

logger = logging.getLogger(__name__)


def main(source: str, made: str) -> int:
    """Convert the model in the folder `source`, and hand over the result in the folder `made`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    handover = Handover(Path(made))
    try:
        _convert(Path(source), handover)
    except Refused as refused:
        handover.write(Outcome(str(refused)))
    return 0


def _convert(source: Path, handover: Handover) -> None:
    """Convert and hand over. Raises Refused."""
    from mlops_conversion import ConversionError, ProofTimeout, convert

    handover.reach("checking the versions of its libraries")
    logged = LoggedModel.read(source)
    notes = logged.check_versions()
    handover.reach("loading the model")
    model = logged.load()
    handover.reach("reading its input example")
    rows = rows_for(model, logged)
    handover.reach("converting the model and proving the result")
    try:
        converted = convert(model, rows.data, example=rows.example, observed=False)
    except ProofTimeout as error:
        raise Refused(
            f"{error}. Convert it where it was trained, with mlops_client.log_model and more time (proof_seconds)"
        ) from error
    except (ConversionError, ValueError) as error:
        raise Refused(str(error)) from error
    except Exception as error:
        traceback.print_exc()
        raise Refused(
            f"an unexpected error ({type(error).__name__}: {str(error)[:300]}): the job's log has all of it"
        ) from error
    handover.write(
        Outcome(None, str(converted.task), (*rows.notes, *notes, *converted.notes)),
        converted.content,
        converted.proof_rows,
        converted.explanation,
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
