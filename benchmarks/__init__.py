"""What `make bench` runs: each module measures one part and writes `benchmarks/results/<part>.json` and `.md`."""
