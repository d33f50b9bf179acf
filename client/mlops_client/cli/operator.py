"""mlops keys, upload and ui: the commands that need AWS credentials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.tables import Column

if TYPE_CHECKING:
    from mlops_client.models import KeyHistory

keys_app = typer.Typer(help="Manage API keys. This needs AWS credentials.", no_args_is_help=True)
Stack = Annotated[str, typer.Option(envvar="MLOPS_STACK", help="Name of the CloudFormation stack.")]
DEFAULT_STACK = "mlops-dev"


def register(app: typer.Typer) -> None:
    app.command("upload")(upload)
    app.command("ui")(ui)
    app.add_typer(keys_app, name="keys")


def upload(
    file: Annotated[
        Path,
        typer.Argument(help="Data set: .csv, .tsv, .jsonl or .ndjson, also packed as .gz or .zst; .parquet; or .npz."),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Make it the newest file of the data set NAME, and print an address that stands for the newest file.",
        ),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Upload a data set to the platform's bucket, and print its address. This needs AWS credentials."""
    from mlops_client.operator import datasets

    address = datasets.upload(stack, file, name)
    if as_json:
        output.print_json({"dataset": address})
    else:
        output.print_line(address)


def ui(
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="Address of MLflow. By default the stack's.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 chooses a free one.")] = 5001,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and do not open a browser.")
    ] = False,
) -> None:
    """Open MLflow in the browser. On AWS each request is signed with your AWS credentials."""
    from mlops_client.operator import mlflow_proxy, signing

    target = tracking_uri or signing.tracking_uri(stack)
    signer = signing.signer() if signing.needs_signature(target) else None
    with mlflow_proxy.serving(target, signer, port) as (address, wait):
        output.print_line(f"MLflow at {address} (press Ctrl-C to stop)")
        if not no_browser:
            typer.launch(address)
        wait()


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Name of the person or program with this key. The history shows it.")],
    owner: Annotated[
        str, typer.Option("--owner", help="The person or team that the key belongs to. It cannot be changed later.")
    ],
    role: Annotated[
        str,
        typer.Option(
            "--role",
            help="predict: only predictions; read: also read everything; feedback: also give labels; train: also start "
            "training, cancel what it has started, and ask for promotions that need approval; approve: also promote, "
            "roll back, approve and reject; admin: everything.",
        ),
    ] = "read",
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            metavar="NAME",
            help="A model or an experiment that the key is for, such as churn, or churn* for all whose names begin so. "
            "Can be repeated. The default is all of them.",
        ),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Create a key, and print it. It cannot be shown again."""
    from mlops_client.operator.keys import ALL_MODELS, Keys

    key_id, value = Keys.of(stack).create(name, role, owner, models or ALL_MODELS)
    if as_json:
        made = {"key_id": key_id, "name": name, "owner": owner, "role": role, "models": models or [*ALL_MODELS]}
        output.print_json({**made, "key": value})
    else:
        output.print_line(value)
        output.note("keep it now: it cannot be shown again. On AWS a new key works after some minutes")


@keys_app.command("list")
def keys_list(stack: Stack = DEFAULT_STACK, as_json: Json = False) -> None:
    """List the keys, without their values."""
    from mlops_client.operator.keys import Keys

    keys = Keys.of(stack).all()
    if as_json:
        output.print_json([{"key_id": key["id"], **{n: v for n, v in key.items() if n != "id"}} for key in keys])
        return
    columns = [
        Column("name", 9),
        Column("role", 8),
        Column("models", 6),
        Column("owner", 7),
        Column("ends", 6, style="dim"),
        Column("id", 5, style="dim", whole=True),
    ]
    rows = [
        [key["name"], key["role"], " ".join(key["models"]), key["owner"], key["until"] or "", key["id"]] for key in keys
    ]
    output.show(columns, rows, "no keys")


@keys_app.command("history")
def keys_history(as_json: Json = False) -> None:
    """Show which keys were made, changed and revoked. This needs a key with the role admin, and no AWS credentials."""
    history = new_client().key_history()
    if as_json:
        output.print_json(history)
    else:
        _show_history(history)
    if not history.verification.valid:
        output.complain(f"the history of keys was changed: {history.verification.problem}")
        raise typer.Exit(1)


def _show_history(history: KeyHistory) -> None:
    columns = [
        Column("at", 5, style="dim"),
        Column("change", 8),
        Column("name", 9),
        Column("role", 8),
        Column("models", 6),
        Column("owner", 7),
        Column("id", 5, style="dim", whole=True),
    ]
    rows = [
        [ago(each.at), each.change, each.name, each.role, " ".join(each.models), each.owner, each.key_id]
        for each in history.entries
    ]
    output.show(columns, rows, "no entries yet; the table of keys is looked at every five minutes")


@keys_app.command("rotate")
def keys_rotate(
    name: Annotated[str, typer.Argument(help="Name of the key to replace.")],
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Create a new key with the same name, owner, role and models. The old key works until you remove it."""
    from mlops_client.operator.keys import Keys

    value, old = Keys.of(stack).rotate(name)
    if as_json:
        output.print_json({"name": name, "key": value, "old_key_ids": old})
        return
    output.print_line(value)
    for key_id in old:
        output.note(f"remove the old key when nobody uses it any more: mlops keys remove {key_id}")


@keys_app.command("remove")
def keys_remove(
    key_id: Annotated[str, typer.Argument(help="ID of the key, from `mlops keys list`.")], stack: Stack = DEFAULT_STACK
) -> None:
    """Remove a key. The API refuses it within a minute."""
    from mlops_client.operator.keys import Keys

    Keys.of(stack).revoke(key_id)
    output.print_line(f"removed {key_id}")
