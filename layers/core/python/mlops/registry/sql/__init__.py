"""Read MLflow's database."""
