"""The model: what happens to each column, and the estimator."""

from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def make_model(strength: float) -> Pipeline:
    """Return the pipeline, not fitted. It takes the columns as they are in the file, also missing ones."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["fee", "months", "calls"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["plan", "region"]),
            ("words", TfidfVectorizer(), "note"),
        ]
    )
    return make_pipeline(columns, LogisticRegression(C=strength))
