"""The note of a run that nobody has written: its model card."""

from trainer.summary import CARD

TAG = "mlflow.note.content"
"""MLflow shows it as the run's description, and the platform as its note."""
LONGEST = 5000
"""As long as a note may be that people write."""
MARK = "<!-- model card -->"
"""The first line of such a note. MLflow shows no comments, and the console no such note."""


def of_card(card: str) -> str:
    """Return a model card as a note, cut at the end of a line if it is too long."""
    text = f"{MARK}\n{card}"
    if len(text) <= LONGEST:
        return text
    rest = f"\n\n{CARD} has the rest."
    return text[: LONGEST - len(rest)].rpartition("\n")[0] + rest
