"""Train a model that says which customers will leave, and register it as `churn`.

As a job of the platform, MLOPS_DATASET is the copy of the data set. On a laptop it is the file beside this script.
"""

import argparse
import os
from pathlib import Path

import mlflow
import pandas as pd
from pipeline import make_model
from sklearn.model_selection import train_test_split

from mlops_client import log_model

NAME, TARGET = "churn", "churned"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--strength", type=float, default=1.0, help="of the regularisation; less is stronger")
    strength = parser.parse_args().strength

    customers = pd.read_csv(os.environ.get("MLOPS_DATASET", Path(__file__).with_name("customers.csv")))
    # Always the same rows are held out, so that the gate compares versions on them.
    train, held_out = train_test_split(customers, test_size=0.25, stratify=customers[TARGET], random_state=0)

    model = make_model(strength).fit(train.drop(columns=TARGET), train[TARGET])
    with mlflow.start_run():
        mlflow.log_param("strength", strength)
        version = log_model(
            model, held_out.drop(columns=TARGET), target=held_out[TARGET], name=NAME, objective="roc_auc"
        )
    print(f"{NAME} version {version}")


if __name__ == "__main__":
    main()
