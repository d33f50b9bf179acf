"""Tables through the trainer beside a bare script: time, accuracy, memory. Run: `python -m benchmarks.tables`."""
