"""Experiments and runs, read from MLflow's database."""
