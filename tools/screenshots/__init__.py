"""Pictures of the console and of the command line, taken from a stack that runs: `make screenshots`."""
