"""mlops login, logout, me, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, SignIn, new_client


def register(app: typer.Typer) -> None:
    app.command("login")(login)
    app.command("logout")(logout)
    app.command("me")(me)
    app.command("doctor")(doctor)


def login(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Address of the API, such as https://…/v1.")] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Sign in to the local stack, with .local/env in this folder.")
    ] = False,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the key from standard input, and do not ask for it.")
    ] = False,
) -> None:
    """Store the API's address and your key in a file that only you can read."""
    from mlops_client.client import Client
    from mlops_client.config import read_local_env, save_login
    from mlops_client.errors import ApiError, Forbidden, Invalid, NotSignedIn
    from mlops_client.transport import checked_url

    if local:
        stack = read_local_env(Path.cwd() / ".local" / "env")
        url, key = stack.url, stack.key
    else:
        url = url or SignIn.url
        if not url:
            raise NotSignedIn(
                "no address of the API: run `mlops login https://…/v1`, or `mlops login --local` for the local stack"
            )
        url = checked_url(url)
        key = SignIn.key or (sys.stdin.readline() if key_stdin else typer.prompt("API key", hide_input=True)).strip()
    client = Client(url, key, attempts=2)
    client.health()
    try:
        # Every role may call /predict. The API checks the key before it refuses the empty request.
        client.transport.call("POST", "/predict", {}, safe=True)
    except Forbidden:
        raise
    except Invalid:
        pass
    except ApiError as error:
        output.note(f"the key could not be checked ({error}); it was stored anyway")
    path = save_login(url, key)
    output.print_line(f"signed in to {url}; stored in {path}")


def logout() -> None:
    """Remove the stored address and key."""
    from mlops_client.config import forget_login

    output.print_line("signed out" if forget_login() else "there is no stored login")


def me(as_json: Json = False) -> None:
    """Show whose key you use, its role, and the models that it is for."""
    key = new_client().me()
    if as_json:
        output.print_json(key)
    else:
        models = "all models" if "*" in key.models else ", ".join(key.models)
        output.print_line(f"{key.name} (owner: {key.owner}): {key.role}, for {models}")


def doctor(as_json: Json = False) -> None:
    """Check the address, the key, the platform and the model, and say how to repair problems."""
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
