"""The names of the files beside a logged model, for code that has no numpy to read them."""

EXPLAIN_FILE = "explain.npz"
PROOF_FILE = "proof.npz"
