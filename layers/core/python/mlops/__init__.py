"""What the platform's functions and its trainer share: the domain first, then one adapter a module.

The domain (`stages`, `errors`, `manifest`, `schemas`, `sweeps`, `settings`) knows nothing of AWS. The adapters
(`jobs`, `transitions`, `serving`, `tracking`, `catalogue`, `access`) each stand for one dependency. `web` turns a
FastAPI router into a Lambda handler.
"""

__version__ = "0.1.0"
