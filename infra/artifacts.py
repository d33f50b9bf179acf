"""Build what `sam build` makes, and AWS's own runtime to run it; both are cached by the contents of their sources.

Nothing comes from the environment of the caller: neither the packages of the functions nor their Python.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".venv-sam"
REQUIREMENTS = ROOT / "infra" / "deploy" / "runtime-requirements.txt"
LAMBDA_PYTHON = "3.13"
LAYER_SOURCES = (
    "layers/packages.mk",
    "layers/web/packages.txt",
    "layers/tokens/packages.txt",
    "layers/inference/packages.txt",
    "layers/web/Makefile",
    "layers/tokens/Makefile",
    "layers/inference/Makefile",
)
TRACKING_PACKAGES = ROOT / "functions" / "tracking" / "packages.txt"
TRACKING_IMAGE = ROOT / "functions" / "tracking" / "Dockerfile"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlops-platform"


P = ParamSpec("P")
T = TypeVar("T")
_lock = FileLock(CACHE / "lock")


def _alone(build: Callable[P, T]) -> Callable[P, T]:
    """Let one process build at a time: the workers of a test run share the cache, and so do two checkouts."""

    @wraps(build)
    def locked(*arguments: P.args, **named: P.kwargs) -> T:
        CACHE.mkdir(parents=True, exist_ok=True)
        with _lock:
            return build(*arguments, **named)

    return locked


class CannotBuild(Exception):
    """The network or the machine lacks something; the message says what."""


@dataclass(frozen=True)
class Runtime:
    """A Python made from `base`, with the packages of Lambda and no others. `version` has the form 3.13."""

    python: Path
    base: Path
    version: str


@_alone
def tools() -> Path:
    """Install the SAM command line by the target of the Makefile; returns its environment. Raises CannotBuild."""
    _run(["make", "--silent", "sam"], "the SAM command line cannot be installed")
    return TOOLS


def emulator() -> Path:
    """Return the path of AWS's runtime interface emulator, which `sam local invoke` uses. Raises CannotBuild."""
    (path,) = tools().glob("lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
    return path


@_alone
def runtime() -> Runtime:
    """Make a runtime from Lambda's Python if this machine has it, else from the caller's. Raises CannotBuild."""
    base = lambda_python() or Path(sys.executable)
    version = _version(base)
    folder = CACHE / f"runtime-{version}-{_digest(REQUIREMENTS)}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        _run([str(base), "-m", "venv", "--clear", str(folder)], "no environment can be made")
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], "no runtime")
        (folder / "complete").touch()
    return Runtime(python, base, version)


@_alone
def layers(runtime: Runtime) -> Path:
    """Build the layers of packages for a Python; returns the folder of `sam build`. Raises CannotBuild."""
    folder = CACHE / f"build-{runtime.version}-{_digest(*(ROOT / name for name in LAYER_SOURCES))}"
    if not (folder / "complete").exists():
        _sam_build(folder, runtime)
        (folder / "complete").touch()
    return folder


def _sam_build(folder: Path, runtime: Runtime) -> None:
    """Run `sam build` for the whole template; a Python of Lambda's version is used to compile only."""
    sam = tools() / "bin"
    CACHE.mkdir(parents=True, exist_ok=True)
    certificates = CACHE / "certificates-stand-in.pem"
    certificates.write_text("-----BEGIN CERTIFICATE-----\nin their place\n-----END CERTIFICATE-----\n")
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(("/usr/bin", "/bin")),
        "PYTHON": str(sam / "python"),
        "LAMBDA_PYTHON": runtime.version,
        "COMPILER": str(runtime.base),
        "CERTIFICATES": str(certificates),
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }
    command = [str(sam / "sam"), "build", "--no-cached", "--parallel", "--build-dir", str(folder)]
    _run(command, "`sam build` failed", environment)


def unused_by_tracking() -> set[str]:
    """Return the names of the packages that the tracking image's build removes."""
    names = re.search(r'^ARG UNUSED="(.+)"$', TRACKING_IMAGE.read_text(), re.M)
    if names is None:
        raise CannotBuild(f"{TRACKING_IMAGE} has no line 'ARG UNUSED=\"…\"'")
    return set(names[1].split())


@_alone
def tracking_tree(runtime: Runtime) -> Path:
    """Install the packages that the tracking image keeps, without the image. Raises CannotBuild."""
    folder = CACHE / f"tracking-{runtime.version}-kept-{_digest(TRACKING_PACKAGES, TRACKING_IMAGE)}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kept = folder / "packages.txt"
        kept.write_text(_without(unused_by_tracking(), TRACKING_PACKAGES.read_text()))
        pip = [
            str(tools() / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--no-deps",
            "--only-binary=:all:",
        ]
        wheels = ["--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_27_x86_64"]
        wheels += ["--platform", "manylinux2014_x86_64", "--python-version", runtime.version]
        packages = ["--require-hashes", "--requirement", str(kept)]
        _run([*pip, *wheels, *packages, "--target", str(folder)], "the tracking server's packages cannot be had")
        # As pip does in the image. The exit code is 1, because some packages have templates that end in .py.
        compiling = [str(runtime.base), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
        subprocess.run(compiling, capture_output=True)
        (folder / "complete").touch()
    return folder


def _without(names: set[str], pins: str) -> str:
    """Return the pins of all other packages. A pin is a line that starts with a name, and lines with its hashes."""
    blocks = re.split(r"^(?=[\w.-]+==)", pins, flags=re.M)
    return "".join(block for block in blocks if block.partition("==")[0] not in names)


def size(folder: Path) -> int:
    """Count the bytes of the files in a folder, unzipped, as Lambda does.

    Bytecode counts in a build only: in the checkout, running has left it, and `make build` removes it.
    """
    in_checkout = folder.is_relative_to(ROOT)
    files = (path for path in folder.rglob("*") if path.is_file() and not (in_checkout and "__pycache__" in path.parts))
    return sum(path.stat().st_size for path in files)


def content(folder: Path) -> dict[str, int]:
    """Return the bytes of each folder in `folder`, the largest first."""
    sizes = {path.name: size(path) for path in folder.iterdir() if path.is_dir()}
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))


def lambda_python() -> Path | None:
    """Find Python 3.13: PYTHON313, or the caller's own, or by its name on the PATH or in pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    by_name = [shutil.which(f"python{LAMBDA_PYTHON}"), *sorted(pyenv.glob(f"{LAMBDA_PYTHON}.*/bin/python"))]
    named = os.environ.get("PYTHON313")
    for candidate in [named] if named else [sys.executable, *by_name]:
        # A shim of pyenv exists even for a version that is not chosen; only running it shows that.
        if candidate and _version(Path(candidate)) == LAMBDA_PYTHON:
            return Path(candidate)
    return None


def _version(python: Path) -> str:
    asked = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _run(command: list[str], problem: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise CannotBuild(f"{problem}: {lines[-1] if lines else 'no reason given'}")
