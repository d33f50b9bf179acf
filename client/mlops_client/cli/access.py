"""mlops login, logout, me, doctor."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, SignIn, new_client

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="A name for this login, beside the one that is used without a name."
    ),
]
NEW_KEY_SECONDS = 60.0
"""How long to wait for API Gateway, which takes some time to know a new key."""


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
    profile: Profile = None,
    token_stdin: Annotated[
        bool,
        typer.Option("--token-stdin", help="Read an ID token from standard input, and get a personal key with it."),
    ] = False,
    iam: Annotated[
        bool, typer.Option("--iam", help="Get a personal key with the AWS credentials of this shell.")
    ] = False,
    role: Annotated[
        str | None, typer.Option(help="With --token-stdin or --iam: a role that is enough, such as read.")
    ] = None,
) -> None:
    """Store the API's address and your key in a file that only you can read.

    Without --token-stdin or --iam it is a key that an operator has made. A personal key ends after 12 hours.
    """
    from mlops_client.config import read_local_env, save_login
    from mlops_client.errors import BadInput, NotSignedIn
    from mlops_client.transport import checked_url

    if local + key_stdin + token_stdin + iam > 1:
        raise BadInput("--local, --key-stdin, --token-stdin and --iam exclude each other")
    if role and not (token_stdin or iam):
        raise BadInput("--role needs --token-stdin or --iam; the role of other keys is the operator's choice")
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
        if token_stdin or iam:
            _sign_in(url, sys.stdin.readline().strip() if token_stdin else None, role, profile)
            return
        key = SignIn.key or (sys.stdin.readline() if key_stdin else typer.prompt("API key", hide_input=True)).strip()
    _check_key(url, key)
    path = save_login(url, key, profile)
    output.print_line(f"signed in to {url}{_under(profile)}; stored in {path}")


def _check_key(url: str, key: str) -> None:
    """Ask the API whether it knows the key. Raises Forbidden."""
    from mlops_client.client import Client
    from mlops_client.errors import ApiError, Forbidden, Invalid

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


def _under(profile: str | None) -> str:
    return f" with the profile {profile}" if profile else ""


def _sign_in(url: str, token: str | None, role: str | None, profile: str | None) -> None:
    """Get a personal key with a token, or with the credentials of AWS, and store it."""
    from mlops_client.config import save_login

    if token is None:
        from mlops_client.operator.signing_in import sign_in_with_iam

        session, option = sign_in_with_iam(url, role), "--iam"
    else:
        from mlops_client.sessions import sign_in

        session, option = sign_in(url, token, role), "--token-stdin"
    path = save_login(url, session.key, profile, until=session.until, signed_in_with=option)
    models = _models(session.models)
    output.print_line(
        f"signed in to {url} as {session.name}{_under(profile)}: {session.role}, for {models}, until {session.until}"
    )
    if not _works(url, session.key):
        output.note("API Gateway does not know the key yet, which can take some minutes; `mlops me` shows when it does")
    output.note(f"stored in {path}")


def _works(url: str, key: str) -> bool:
    """Wait until API Gateway knows a new key; False if that takes long."""
    from mlops_client.client import Client
    from mlops_client.errors import Forbidden

    deadline = time.monotonic() + NEW_KEY_SECONDS
    while True:
        try:
            Client(url, key, attempts=2).me()
            return True
        except Forbidden:
            if time.monotonic() > deadline:
                return False
            time.sleep(2)


def logout(profile: Profile = None) -> None:
    """Remove the stored address and key. A personal key ends at once."""
    from mlops_client.client import Client
    from mlops_client.config import forget_login, personal_login, profile_names
    from mlops_client.errors import MlopsError

    try:
        if (login := personal_login(profile)) is not None:
            Client(login.url, login.key, attempts=2, timeout=10).sign_out()
    except MlopsError as error:
        output.note(f"the key could not be ended ({error}); it ends by itself")
    output.print_line("signed out" if forget_login(profile) else "there is no stored login")
    if profile is None and (kept := profile_names()):
        output.note(f"the keys of profiles are kept: {', '.join(kept)} (mlops logout --profile NAME removes one)")


def me(as_json: Json = False) -> None:
    """Show whose key you use, its role, the models that it is for, and when it ends."""
    key = new_client().me()
    if as_json:
        output.print_json(key)
    else:
        until = f", until {key.until}" if key.until else ""
        output.print_line(f"{key.name} (owner: {key.owner}): {key.role}, for {_models(key.models)}{until}")


def _models(names: list[str]) -> str:
    return "all models" if "*" in names else ", ".join(names)


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
