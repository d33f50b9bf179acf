"""LocalStack as the local AWS, with what its free edition lacks: see the README beside this file."""
