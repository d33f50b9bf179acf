"""Follow the links of the documentation to other sites: `make docs-links`. It needs a network.

The exit code is 1 if a page is not there any more, and 2 if no site answers at all: then there is no network here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

ROOT = Path(__file__).resolve().parent.parent
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((https?:[^)\s]*)|<(https?:[^>\s]*)>")
_HERE = ("127.0.0.1", "localhost")
GONE = (404, 410)
"""Other refusals, such as 403 and 429, say that the site does not want programs, and not that the page is gone."""
SECONDS = 20.0


def external_links(pages: Iterable[Path]) -> dict[str, list[str]]:
    """Return the links of pages of Markdown to other sites, each with the pages that have it. Code has none."""
    found: dict[str, list[str]] = {}
    for page in pages:
        for groups in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
            link = "".join(groups)
            if urlsplit(link).hostname not in _HERE:
                found.setdefault(link, []).append(page.name)
    return found


def pages() -> list[Path]:
    """Return the pages of the documentation."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def follow(links: Iterable[str]) -> dict[str, str | None]:
    """Ask for each link; return what is wrong with it, or None. Raises HTTPError: no site answers at all."""
    pool = urllib3.PoolManager(timeout=SECONDS, retries=urllib3.Retry(2, redirect=5))
    wrong: dict[str, str | None] = {}
    silent: HTTPError | None = None
    for link in links:
        try:
            answer = pool.request("GET", link, headers={"user-agent": "docs-links"}, preload_content=False)
        except HTTPError as error:
            wrong[link], silent = f"does not answer: {error}", error
            continue
        answer.release_conn()
        wrong[link] = f"answers {answer.status}" if answer.status in GONE else None
    if silent is not None and all(wrong.values()):
        raise silent
    return wrong


def main() -> int:
    """Follow all links, and print those that lead nowhere."""
    links = external_links(pages())
    try:
        wrong = {link: problem for link, problem in follow(links).items() if problem}
    except HTTPError as error:
        print(f"none of the {len(links)} links was followed, there is no network here: {error}", file=sys.stderr)
        return 2
    for link, problem in wrong.items():
        print(f"{', '.join(links[link])}: {link} {problem}", file=sys.stderr)
    print(f"{len(links) - len(wrong)} of {len(links)} links to other sites lead there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
