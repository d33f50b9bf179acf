"""Rewrite links of the documentation that lead out of docs/: a hook of MkDocs, named in mkdocs.yml.

The pages are also read in the repository, so they link to its other files (`../README.md`). On the site those links
lead to `extra.source`, such as the address of the main branch on a forge. If that is not set, they become file names.
"""

import posixpath
import re
from typing import Any

FENCED_OR_LINK = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)|(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>\.\./[^)\s]+)\)", re.M | re.S
)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Rewrite the links of a page that lead out of docs/."""
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def rewritten(match: re.Match[str]) -> str:
        if match["fence"]:
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, match["target"]))
        if path.startswith("docs/"):
            return match[0]
        if source := config.extra["source"]:
            return f"[{match['text']}]({source.rstrip('/')}/{path})"
        name = f"`{path.partition('#')[0]}`"
        return name if match["text"] == posixpath.basename(path) else f"{match['text']} ({name})"

    return FENCED_OR_LINK.sub(rewritten, markdown)
