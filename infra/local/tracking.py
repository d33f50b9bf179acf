"""The tracking server of the stack, for its owner's programs and pages: `uvicorn infra.local.tracking:application`.

MLflow's own protection lets pages of every server on this machine write, and routes outside `/api` any page at all. It
has no login, and whoever may make an experiment may choose its folder, and so read and write files as this process.
"""

from __future__ import annotations

from infra.local.guard.identity import with_identity
from infra.local.guard.origins import own_pages_only, without_cors
from infra.local.guard.peers import own_user_only
from tracking.server import application as mlflow

application = own_user_only(own_pages_only(without_cors(with_identity(mlflow))))
