"""Where the API's address and key come from: arguments, then the environment, then what `mlops login` kept."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from mlops_client.errors import NotSignedIn


@dataclass(frozen=True)
class Login:
    """Address and key, and in words where they were found."""

    url: str
    key: str
    source: str


def config_file() -> Path:
    """`$MLOPS_CONFIG`, else `config.json` in the platform's usual folder for settings."""
    if named := os.environ.get("MLOPS_CONFIG"):
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", Path.home())) / "mlops" / "config.json"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mlops" / "config.json"


def read_login(url: str | None = None, key: str | None = None) -> Login:
    """What to sign in with.

    A key that was kept belongs to the address it was kept with: it is never sent to another one.

    Raises NotSignedIn: says what is missing and how to give it.
    """
    kept = _kept()
    chosen = url or os.environ.get("MLOPS_API_URL") or kept.get("url")
    if not chosen:
        raise NotSignedIn("no address of the API: run `mlops login URL`, or set MLOPS_API_URL and MLOPS_API_KEY")
    given = key or os.environ.get("MLOPS_API_KEY")
    if given:
        return Login(chosen, given, "the command line" if key else "the environment")
    if kept.get("url", "").rstrip("/") == chosen.rstrip("/") and kept.get("key"):
        return Login(chosen, kept["key"], str(config_file()))
    raise NotSignedIn(f"no key for {chosen}: run `mlops login {chosen}`, or set MLOPS_API_KEY")


def save_login(url: str, key: str) -> Path:
    """Keep address and key in a file that only its owner may read."""
    path = config_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made anew and then moved into place: at no moment may others read it.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": url, "key": key}, file)
    fresh.replace(path)
    return path


def forget_login() -> bool:
    """Remove what was kept; whether there was anything."""
    path = config_file()
    if not path.exists():
        return False
    path.unlink()
    return True


def others_may_read(path: Path) -> bool:
    """Whether the file lets anybody but its owner in."""
    return os.name != "nt" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def read_local_env(folder: Path) -> Login:
    """The local stack's address and key, from the file that `make up` wrote below `folder`.

    Raises NotSignedIn: there is no such file.
    """
    path = folder / ".local" / "env"
    try:
        lines = path.read_text().splitlines()
    except OSError:
        raise NotSignedIn(f"{path} is not there: run `make up` in the platform's checkout, then this again") from None
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    try:
        return Login(values["MLOPS_API_URL"], values["MLOPS_API_KEY"], str(path))
    except KeyError as missing:
        raise NotSignedIn(f"{path} holds no {missing}: run `make up` again") from None


def _kept() -> dict[str, str]:
    path = config_file()
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NotSignedIn(f"{path} cannot be read ({error}); run `mlops login` again") from None
    return found if isinstance(found, dict) else {}
