"""The help of `mlops`: its commands in groups, and examples."""

from __future__ import annotations

from typing import Any, ClassVar

from typer.core import TyperGroup

EXAMPLES = {
    "": (
        "mlops train --dataset s3://data/customers.csv --target churned --model churn --watch",
        "mlops runs churn --where 'metrics.f1 > 0.8'",
        "mlops promote 3 --model churn --reason 'better on new customers'",
        "mlops predict --model churn --row '{\"age\": 41}'",
        "mlops jobs --json",
    ),
    "login": (
        "mlops login https://abc123.execute-api.eu-central-1.amazonaws.com/v1",
        "mlops login --local",
        "mlops login https://abc123.execute-api.eu-central-1.amazonaws.com/v1 --profile prod",
    ),
    "train": (
        "mlops train --watch",
        "mlops train --dataset s3://data/customers.csv --target churned --model-type lightgbm --set num_leaves=63",
    ),
    "sweep": (
        "mlops sweep --num-runs 10 --stage Production",
        "mlops sweep --try learning_rate=0.001..0.1:log --try hidden_size=64,128 --strategy gp",
    ),
    "run": ("mlops run train.py --dataset s3://data/customers.csv --param lr=0.1 --watch",),
    "jobs": ("mlops jobs --status failed", "mlops jobs job_000042 --watch", "mlops jobs sweep_000003"),
    "logs": ("mlops logs job_000042 --follow",),
    "experiments": ("mlops experiments --name churn",),
    "runs": (
        "mlops runs churn --order-by 'metrics.f1 desc'",
        "mlops runs churn --where 'metrics.f1 > 0.8' --where params.model_type=lightgbm",
    ),
    "compare": ("mlops compare job_000041 job_000042", "mlops compare 3f2a 91bc --all"),
    "artifacts": ("mlops artifacts job_000042", "mlops artifacts job_000042 model --output model-files"),
    "note": ("mlops note job_000042 'the best with clean data'", "mlops note 3f2a --tag reviewed=yes --tag draft="),
    "open": ("mlops open console", "mlops open model churn", "mlops open run job_000042"),
    "console": ("mlops console", "mlops console --no-browser --sign-in"),
    "models": ("mlops models", "mlops models churn"),
    "promote": (
        "mlops promote 3 --model churn",
        "mlops promote 3 --model churn --force --reason 'the old one fails on new plans'",
    ),
    "rollback": ("mlops rollback --model churn --reason 'more complaints'",),
    "history": ("mlops history churn --stage production",),
    "push": ("mlops push churn@3 --to prod",),
    "delete": ("mlops delete churn@3 --reason 'trained on the wrong file'",),
    "predict": (
        "mlops predict seven.png",
        'mlops predict --model churn --row \'{"age": 41, "job": null}\' --explain',
        "mlops predict --model churn --csv customers.csv --out answers.csv",
    ),
    "score": ("mlops score customers.parquet --model churn --out answers.parquet",),
    "drift": ("mlops drift churn --columns", "mlops drift churn --column income", "mlops drift churn --history 48"),
    "feedback": ("mlops feedback 0199f1c2 yes --model churn", "mlops feedback --file labels.csv --model churn"),
    "import-labels": ("mlops import-labels s3://bucket/outcomes.parquet --model churn",),
    "backup": ("mlops backup backup-2026-01-31 --stack mlops-prod", "mlops backup --resume-queue --stack mlops-prod"),
    "restore": ("mlops restore backup-2026-01-31 --stack mlops-new",),
    "upload": ("mlops upload customers.csv --as customers",),
}
"""Command lines by the command that they belong to."""


def epilog(command: str, more: str = "") -> str | None:
    """Return the examples of a command, each in a paragraph of its own, and what follows them."""
    lines = EXAMPLES.get(command, ())
    parts = ["Examples:", *(f"`{line}`" for line in lines)] if lines else []
    return "\n\n".join([*parts, *([more] if more else [])]) or None


class GroupedCommands(TyperGroup):
    """A group of commands that lists them below headings."""

    headings: ClassVar[dict[str, list[str]]] = {}
    """The names of the commands by their heading."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names of all commands, and what they do."""
        width = max(len(name) for names in self.headings.values() for name in names)
        for heading, names in self.headings.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - 4 - width))
                for name, command in commands
                if command is not None
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)
