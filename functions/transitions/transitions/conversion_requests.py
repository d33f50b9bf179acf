"""Start the conversion of a version that plain MLflow logged, and show how far it has come."""

import os
from functools import cache

from mlops.aws.bin_records import BinRecords
from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.governance_table import GovernanceTable
from mlops.domain.artifacts import ELSEWHERE, logged_folder
from mlops.domain.bin import in_bin
from mlops.domain.conversion import Conversion, new_conversion_id
from mlops.domain.errors import Conflict, NotFound
from mlops.registry.rest import Tracking


class ConversionRequests:
    def __init__(self, tracking: Tracking, conversions: ConversionJobs, bin_: BinRecords, bucket: str) -> None:
        self._tracking, self._conversions, self._bin, self._bucket = tracking, conversions, bin_, bucket

    @classmethod
    def from_environment(cls) -> "ConversionRequests":
        return _conversion_requests()

    def start(self, model_name: str, version: int, actor: str, request_id: str) -> Conversion:
        """Start the conversion of a version, unless one runs or has succeeded. Return the one that counts.

        Raises:
            NotFound: There is no such model or version.
            Conflict: The version's files are not in the platform's bucket, or it is in the bin.
            DependencyUnavailable: MLflow, the table or AWS Batch does not answer.
        """
        registered_at = self._tracking.version(model_name, version).created_at
        binned = self._bin.version(model_name, version, registered_at)
        if binned is not None:
            raise in_bin(binned)
        source = logged_folder(self._tracking.artifact_uri(model_name, version), self._bucket)
        if source is None:
            raise Conflict(ELSEWHERE)
        wanted = Conversion(
            model_name=model_name,
            version=version,
            conversion_id=new_conversion_id(),
            registered_at=registered_at,
            actor=actor,
            request_id=request_id,
        )
        return self._conversions.start(wanted, source)

    def state(self, model_name: str, version: int) -> Conversion:
        """Return the last conversion of a version.

        Raises:
            NotFound: There is no such version, or it was never converted.
            DependencyUnavailable: MLflow or the table does not answer.
        """
        registered_at = self._tracking.version(model_name, version).created_at
        conversion = self._conversions.of(model_name, version, registered_at)
        if conversion is None:
            raise NotFound(
                f"Version {version} of {model_name!r} was never converted; POST to this address starts it, and so does "
                "a transition to Staging or Production"
            )
        return conversion


@cache
def _conversion_requests() -> ConversionRequests:
    return ConversionRequests(
        Tracking.from_environment(),
        ConversionJobs.from_environment(),
        GovernanceTable.from_environment().bin,
        os.environ["ARTIFACT_BUCKET"],
    )
