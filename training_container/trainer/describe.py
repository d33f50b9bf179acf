"""`python -m trainer describe`: print what is found in a table, as training would read it, without training."""

import argparse
import json
from collections.abc import Sequence

from mlops_contract import Task
from mlops_data.options import HELD_OUT_SHARE
from trainer import data
from trainer.data import DataOptions, GroupSplit, TimeSplit
from trainer.errors import ParameterError


def main(argv: Sequence[str]) -> int:
    """Print the profile of a table as JSON.

    Raises:
        ParameterError: An argument is not valid, or the data set is no table.
        DataError: The table cannot be used. Says where and why.
    """
    arguments = _parser().parse_args(argv)
    dataset = data.load(arguments.address, _options(arguments), trusted=True)
    if dataset.profile is None:
        raise ParameterError(f"{arguments.address} has no named columns; only tables can be described")
    print(json.dumps(dataset.profile.to_document(), ensure_ascii=False, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m trainer describe", description="Print what is found in a table.")
    parser.add_argument("address", help="a path, or an s3:// or https:// address")
    parser.add_argument("--target", help="the column to predict")
    parser.add_argument("--task", choices=list(Task), help="what to predict; the target's values decide otherwise")
    parser.add_argument("--weight", help="the column of the rows' weights")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=ROLE",
        help="how to read a column: ignore, number, category, boolean or datetime",
    )
    parser.add_argument(
        "--held-out",
        default=str(HELD_OUT_SHARE),
        metavar="SHARE|COLUMN|COLUMN>=START",
        help="the rows to measure with: a share, groups of a column, or the rows from a date on",
    )
    return parser


def _options(arguments: argparse.Namespace) -> DataOptions:
    columns = {}
    for item in arguments.column:
        name, equals, role = item.rpartition("=")
        if not equals:
            raise ParameterError(f"--column {item}: write the column and its role as NAME=ROLE")
        columns[name] = role
    return DataOptions(
        target=arguments.target,
        task=Task(arguments.task) if arguments.task else None,
        columns=columns,
        held_out=_held_out(arguments.held_out),
        weight=arguments.weight,
    )


def _held_out(text: str) -> float | TimeSplit | GroupSplit:
    column, in_time, start = text.partition(">=")
    if in_time:
        return TimeSplit(column, start)
    try:
        return float(text)
    except ValueError:
        return GroupSplit(text)
