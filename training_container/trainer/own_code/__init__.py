"""Run people's own training code: fetch it, install its requirements, run the script, and keep its checkpoints."""
