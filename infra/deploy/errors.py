"""What stops a deployment."""


class DeployError(Exception):
    """The message is one line for a person: what is wrong and what to do."""
