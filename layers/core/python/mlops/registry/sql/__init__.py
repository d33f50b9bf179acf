"""Reads of MLflow's database."""
