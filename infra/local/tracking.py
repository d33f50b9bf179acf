"""The tracking server of the stack, for programs and its own pages alone: `uvicorn infra.local.tracking:application`.

MLflow's own protection lets pages of every server on this machine write, and routes outside `/api` any page at all.
"""

from __future__ import annotations

from importlib import import_module

from infra.local.origins import own_pages_only, without_cors

# The function's module, which is found in the folder the server runs in.
application = own_pages_only(without_cors(import_module("app").application))
