"""mlops login, logout, doctor, keys, upload, ui, metrics-proxy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, SignIn
from mlops_client.cli.output import Column

keys_app = typer.Typer(help="Make, list and remove API keys, with your AWS credentials.", no_args_is_help=True)
Stack = Annotated[str, typer.Option(envvar="MLOPS_STACK", help="Name of the CloudFormation stack.", show_default=True)]
DEFAULT_STACK = "mlops-dev"


def register(app: typer.Typer) -> None:
    app.command("login")(login)
    app.command("logout")(logout)
    app.command("doctor")(doctor)
    app.command("upload")(upload)
    app.command("ui")(ui)
    app.command("metrics-proxy")(metrics_proxy)
    app.add_typer(keys_app, name="keys")


def login(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="The API's address, its stage included.")] = None,
    local: Annotated[
        bool, typer.Option("--local", help="The local stack's, from .local/env below this folder.")
    ] = False,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read the key from standard input.")] = False,
) -> None:
    """Keep the API's address and your key, in a file that only you may read."""
    from mlops_client.client import Client
    from mlops_client.config import read_local_env, save_login
    from mlops_client.errors import ApiError, Forbidden, Invalid, NotSignedIn
    from mlops_client.transport import checked_url

    if local:
        found = read_local_env(Path.cwd())
        url, key = found.url, found.key
    else:
        url = url or SignIn.url
        if not url:
            raise NotSignedIn("which API? `mlops login https://…/v1`, or `mlops login --local` beside a local stack")
        url = checked_url(url)
        key = SignIn.key or (sys.stdin.readline() if key_stdin else typer.prompt("API key", hide_input=True)).strip()
    here = Client(url, key, attempts=2)
    here.health()
    try:
        # Every role may ask for a prediction; an empty question is refused, but only after the key was.
        here.transport.call("POST", "/predict", {}, safe=True)
    except Forbidden:
        raise
    except Invalid:
        pass
    except ApiError as error:
        output.note(f"the key could not be tried ({error}); it is kept all the same")
    path = save_login(url, key)
    output.console().print(f"signed in to {url}; kept in {path}", soft_wrap=True)


def logout() -> None:
    """Forget the address and the key."""
    from mlops_client.config import forget_login

    output.console().print("forgotten" if forget_login() else "nothing was kept")


def doctor(as_json: Json = False) -> None:
    """Check address, key, platform and model, and say what to do about what is wrong."""
    from mlops_client.doctor import examine

    findings = examine(SignIn.url, SignIn.key)
    if as_json:
        output.print_json(findings)
    else:
        out = output.console()
        marks = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}
        for finding in findings:
            word, style = marks[finding.state]
            out.print(word, style=style, end="  ")
            out.print(f"{finding.check:<12} {finding.detail}", soft_wrap=True)
            if finding.remedy:
                out.print(f"      -> {finding.remedy}", style="bold", soft_wrap=True)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def upload(
    file: Annotated[
        Path, typer.Argument(help="A data set: .csv with a column called label, target, class or y; or .npz.")
    ],
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Put a data set into the platform's bucket, with your AWS credentials, and print its address."""
    from mlops_client import aws

    address = aws.upload(stack, file)
    if as_json:
        output.print_json({"dataset": address})
    else:
        print(address)


def ui(
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow's address; else asked of the stack.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 5001,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open MLflow, signing each request on this machine with your own AWS credentials."""
    from mlops_client import aws, mlflow_proxy

    target = tracking_uri or aws.tracking_uri(stack)
    signer = aws.signer() if aws.needs_signature(target) else None
    with mlflow_proxy.serving(target, signer, port) as (address, wait):
        output.console().print(f"MLflow at {address} (Ctrl-C ends it)")
        if not no_browser:
            typer.launch(address)
        wait()


def metrics_proxy(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 9108,
) -> None:
    """Serve /metrics on this machine with the key added, for a Prometheus that cannot send headers."""
    from mlops_client import metrics_proxy as proxy
    from mlops_client.config import read_login

    found = read_login(SignIn.url, SignIn.key)
    proxy.main(found.url, found.key, port)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Whose key it is; the history names it.")],
    role: Annotated[str, typer.Option("--role", help="predict, read or admin.")] = "read",
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Make a key. Its value is shown this once."""
    from mlops_client import aws

    value = aws.create_key(stack, name, role)
    if as_json:
        output.print_json({"name": name, "role": role, "key": value})
    else:
        output.console().print(value)
        output.note("shown this once; the role is known to the API within a minute")


@keys_app.command("list")
def keys_list(stack: Stack = DEFAULT_STACK, as_json: Json = False) -> None:
    """List the keys; never their values."""
    from mlops_client import aws

    found = aws.list_keys(stack)
    if as_json:
        output.print_json(found)
        return
    columns = [Column("name", 9), Column("role", 8), Column("id", 5, style="dim")]
    output.show(columns, [[each["name"], each["role"], each["key_id"]] for each in found], "no keys")


@keys_app.command("remove")
def keys_remove(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `mlops keys list`.")], stack: Stack = DEFAULT_STACK
) -> None:
    """Remove a key; requests with it are refused from then on."""
    from mlops_client import aws

    aws.remove_key(stack, key_id)
    output.console().print(f"{key_id} is removed")
