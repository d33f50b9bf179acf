"""What the platform's functions and its trainer share.

`domain` holds the rules and types. `api`, `aws` and `registry` adapt HTTP, AWS and MLflow to it and do not import each
other. `settings` stands under all of them.
"""

__version__ = "0.1.0"
