"""Labels of predictions, and how well the predictions were."""
