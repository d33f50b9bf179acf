"""Administer API keys with roles from the command line, as `mlops keys` does, by `mlops_client.operator.keys`.

python -m tools.keys create --name alice --owner alice --role read --models "churn*"
python -m tools.keys list
python -m tools.keys rotate --name alice     a new value; the old one works until you revoke it
python -m tools.keys revoke --id abcdefghij
"""

import argparse
import os
import sys
from typing import get_args

from mlops_client.errors import MlopsError
from mlops_client.operator.aws import stack_outputs as stack_outputs
from mlops_client.operator.keys import ALL_MODELS, Role
from mlops_client.operator.keys import Keys as Keys
from mlops_client.operator.keys import UnknownKey as UnknownKey


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.keys", description=__doc__)
    parser.add_argument("command", choices=["create", "list", "rotate", "revoke"])
    parser.add_argument("--name", help="name of the key, as the history shows it")
    parser.add_argument("--owner", help="the person or team that the key belongs to")
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="models and experiments that it is for; all without it"
    )
    parser.add_argument("--role", choices=get_args(Role))
    parser.add_argument("--id", help="id of the key to revoke")
    parser.add_argument("--stack", default=os.environ.get("MLOPS_STACK", "mlops-dev"))
    options = parser.parse_args()
    needed = {"create": ("name", "owner", "role"), "list": (), "rotate": ("name",), "revoke": ("id",)}[options.command]
    if missing := [name for name in needed if not getattr(options, name)]:
        parser.error(f"{options.command} needs {' and '.join(f'--{name}' for name in missing)}")
    try:
        keys = Keys.of(options.stack)
        if options.command == "create":
            print(keys.create(options.name, options.role, options.owner, options.models or ALL_MODELS)[1])
        elif options.command == "rotate":
            value, old = keys.rotate(options.name)
            print(value)
            for key_id in old:
                print(f"when nobody uses the old key any more: make revoke-key ID={key_id}", file=sys.stderr)
        elif options.command == "revoke":
            keys.revoke(options.id)
        else:
            for key in keys.all():
                print(f"{key['id']:12} {key['role']:8} {key['name']:20} {key['owner']:20} {' '.join(key['models'])}")
    except MlopsError as error:
        print(f"✘ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
