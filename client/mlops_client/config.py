"""Where the API's address and key come from: arguments, the environment, `mlops login`, or the stack of a checkout."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_client.errors import MlopsError, NotSignedIn


@dataclass(frozen=True)
class Login:
    """Address and key.

    Attributes:
        source: Where the key comes from, for people.
    """

    url: str
    key: str
    source: str


def config_file() -> Path:
    """Return `$MLOPS_CONFIG`, else `config.json` in the operating system's usual folder for settings.

    Raises:
        MlopsError: The user has no home folder.
    """
    if named := os.environ.get("MLOPS_CONFIG"):
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", Path.home())) / "mlops" / "config.json"
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mlops" / "config.json"
    except RuntimeError:
        raise MlopsError(
            "this user has no home folder: set MLOPS_CONFIG to a writable file, or set MLOPS_API_URL and MLOPS_API_KEY"
        ) from None


def read_login(url: str | None = None, key: str | None = None) -> Login:
    """Return the address and the key to use.

    A stored key belongs to the address with which it was stored. It is never sent to another one.

    Raises:
        NotSignedIn: The address or the key is missing. The message says how to set it.
    """
    chosen = url or os.environ.get("MLOPS_API_URL")
    # Whoever brings both may have no folder that can be read, as in a container.
    stored = {} if chosen and (key or os.environ.get("MLOPS_API_KEY")) else _stored_login()
    if not chosen and not stored and (local := _local_login()) is not None:
        return Login(local.url, key or os.environ.get("MLOPS_API_KEY") or local.key, local.source)
    chosen = chosen or stored.get("url")
    if not chosen:
        raise NotSignedIn("no address of the API: run `mlops login URL`, or set MLOPS_API_URL and MLOPS_API_KEY")
    if key:
        return Login(chosen, key, "the command line")
    if from_environment := os.environ.get("MLOPS_API_KEY"):
        return Login(chosen, from_environment, "the environment")
    if stored.get("url", "").rstrip("/") == chosen.rstrip("/") and stored.get("key"):
        if _has_ended(stored):
            raise _ended(stored)
        return Login(chosen, stored["key"], str(config_file()))
    raise NotSignedIn(f"no key for {chosen}: run `mlops login {chosen}`, or set MLOPS_API_KEY")


def read_profile(name: str) -> Login:
    """Return the address and the key that `mlops login --profile` stored. Raises NotSignedIn."""
    profiles = _profiles(_stored_login())
    stored = profiles.get(name, {})
    if not stored.get("url") or not stored.get("key"):
        known = f"there are: {', '.join(sorted(profiles))}" if profiles else "there are none"
        raise NotSignedIn(f"there is no profile {name!r} ({known}): run `mlops login URL --profile {name}`")
    if _has_ended(stored):
        raise _ended(stored, f" --profile {name}")
    return Login(stored["url"], stored["key"], f"the profile {name}")


def save_login(
    url: str, key: str, profile: str | None = None, *, until: str | None = None, signed_in_with: str | None = None
) -> Path:
    """Store address and key in a file that only its owner can read, and return its path.

    Args:
        url: The API's address.
        key: The API key.
        profile: The name by which `read_profile` finds them; None stores the login that is used without a name.
        until: When it ends, of a personal key.
        signed_in_with: The option of `mlops login` that gave it.

    Raises:
        MlopsError: The file cannot be read or written.
    """
    stored = _kept()
    login = {"url": url, "key": key, **({"until": until, "with": signed_in_with} if until else {})}
    if profile is None:
        kept = {"profiles": profiles} if (profiles := _profiles(stored)) else {}
        return _write({**login, **kept})
    return _write({**stored, "profiles": {**_profiles(stored), profile: login}})


def forget_login(profile: str | None = None) -> bool:
    """Remove the stored login, or that of a profile, and return whether there was one.

    Raises:
        MlopsError: The file cannot be read, written or removed.
    """
    stored = _kept()
    profiles = _profiles(stored)
    there = "url" in stored if profile is None else profile in profiles
    kept = {name: login for name, login in profiles.items() if name != profile}
    rest = {} if profile is None else {name: value for name, value in stored.items() if name != "profiles"}
    if kept or rest:
        _write({**rest, **({"profiles": kept} if kept else {})})
        return there
    path = config_file()
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MlopsError(f"{path} cannot be removed ({error.strerror}): remove it by hand") from None
    return there or profile is None


def profile_names() -> list[str]:
    """Return the names of the stored profiles."""
    return sorted(_profiles(_kept()))


def _write(content: dict[str, Any]) -> Path:
    path = config_file()
    # Written under another name and then moved into place, so that others can never read it.
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
        fresh.replace(path)
    except OSError as error:
        raise MlopsError(
            f"the login cannot be stored in {path} ({error.strerror}): set MLOPS_CONFIG to a writable file, "
            "or set MLOPS_API_URL and MLOPS_API_KEY instead"
        ) from None
    return path


def _profiles(stored: dict[str, Any]) -> dict[str, dict[str, str]]:
    profiles = stored.get("profiles")
    return profiles if isinstance(profiles, dict) else {}


def personal_login(profile: str | None = None) -> Login | None:
    """Return a stored login if its key is a personal one that has not ended. Raises NotSignedIn: it is unreadable."""
    stored = _stored_login()
    if profile is not None:
        stored = _profiles(stored).get(profile, {})
    if not stored.get("until") or not stored.get("url") or not stored.get("key") or _has_ended(stored):
        return None
    return Login(stored["url"], stored["key"], str(config_file()))


def others_may_read(path: Path) -> bool:
    """Return whether users other than the owner can read or write the file."""
    return os.name != "nt" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def read_local_env(path: Path) -> Login:
    """Return the local stack's address and key, from the file that `make up` wrote.

    Raises:
        NotSignedIn: There is no such file.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        raise NotSignedIn(
            f"{path} does not exist: run `make up` in the platform's checkout, and then this command in the same folder"
        ) from None
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    try:
        return Login(values["MLOPS_API_URL"], values["MLOPS_API_KEY"], str(path))
    except KeyError as missing:
        raise NotSignedIn(f"{path} has no {missing}: run `make up` again") from None


def _local_login() -> Login | None:
    """Return the login of the stack whose file the command in a checkout's .venv names. None: there is no such file."""
    named = os.environ.get("MLOPS_LOCAL_ENV")
    return read_local_env(Path(named)) if named and Path(named).exists() else None


def _kept() -> dict[str, Any]:
    """Return what is stored; nothing if it cannot be read, so that a new login replaces a broken file."""
    try:
        return _stored_login()
    except NotSignedIn:
        return {}


def _has_ended(stored: dict[str, Any]) -> bool:
    try:
        return datetime.fromisoformat(stored["until"]) <= datetime.now(UTC)
    except (KeyError, TypeError, ValueError):  # not a personal key; or the API decides
        return False


def _ended(stored: dict[str, Any], profile: str = "") -> NotSignedIn:
    again = f"mlops login {stored['url']} {stored.get('with', '--token-stdin')}{profile}"
    return NotSignedIn(f"your key for {stored['url']} ended at {stored['until']}: sign in again with `{again}`")


def _stored_login() -> dict[str, Any]:
    path = config_file()
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NotSignedIn(f"{path} cannot be read ({error}); run `mlops login` again") from None
    return content if isinstance(content, dict) else {}
