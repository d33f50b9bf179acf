"""What became known of predictions: their ids, what is kept of them, and how well they were."""
