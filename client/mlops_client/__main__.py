"""`python -m mlops_client` is `mlops`."""

from mlops_client.cli import main

if __name__ == "__main__":
    main()
