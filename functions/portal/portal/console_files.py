"""Serve the web console's files, which are in a separate layer. All are text."""

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

from fastapi import Response

from mlops.domain.errors import NotFound

# Only scripts, styles and requests of this origin. Nothing inline, no frames, no forms.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "application/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE = "index.html"
# The build puts a hash of the content into the names of scripts and styles: such a file never changes.
HASHED = re.compile(r".+-[\w-]{8}\.(js|css)")


def console_file(name: str, known: str | None) -> Response:
    """Answer with a file of the console, or with 304 if `known` (the request's If-None-Match) is its entity tag.

    Raises:
        NotFound: The console has no such file.
    """
    file = _files().get(name)
    if file is None:
        raise NotFound(f"The console has no file {name!r}; reload the page")
    content, tag = file
    # Browsers request the page each time, so that they see a deployment at once. The page names its version's files.
    cached = "public, max-age=31536000, immutable" if HASHED.fullmatch(name) else "no-cache"
    headers = {"etag": tag, "cache-control": cached, "content-security-policy": POLICY}
    if known == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPES[Path(name).suffix], headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return the content and the entity tag of each file, by name."""
    package = importlib.util.find_spec("mlops_console")
    folders = [Path(folder) for folder in (package.submodule_search_locations or ())] if package else []
    files = [path for folder in folders for path in folder.iterdir() if path.suffix in MEDIA_TYPES]
    contents = {path.name: path.read_bytes() for path in files}
    return {name: (content, f'"{hashlib.sha256(content).hexdigest()[:20]}"') for name, content in contents.items()}
