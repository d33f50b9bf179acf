"""How long what is done with a model may take."""

PROOF_SECONDS = 1_200.0
"""Most proofs take some seconds: docs/performance.md has measured ones. The conversion job as a whole has 1,500."""
