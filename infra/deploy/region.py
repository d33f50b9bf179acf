"""The region that a shell names."""

import os


def settle_region() -> None:
    """Give both variables of the region one value, that of AWS_REGION if it is set.

    boto3 and SAM read AWS_DEFAULT_REGION only, AWS's other SDKs read AWS_REGION first.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        os.environ.update(AWS_REGION=region, AWS_DEFAULT_REGION=region)
