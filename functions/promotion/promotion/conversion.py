"""Have versions that plain MLflow logged converted to ONNX before they are admitted.

The job takes minutes, and the queue does not wait for it. The transition is noted as converting, and its message is
done with. At the end of the job, `job_events` sends another one. So a later transition of the model may be carried out
first: then the waiting one is refused, because the last request counts.
"""

from mlops.domain.conversion import Conversion, ConversionStatus, new_conversion_id
from mlops.domain.transition import Transition, TransitionStatus
from mlops.registry.rest import Version
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected
from promotion.version_files import VersionFiles


class Converting(Exception):
    """The version is being converted. The transition goes on when the job has ended."""


class ConversionStep:
    """Comes before everything else that a transition to a stage that serves does."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transitions, self._conversions = dependencies.transitions, dependencies.conversions
        self._files = VersionFiles(dependencies)

    def take(self, transition: Transition, version: Version) -> None:
        """Return if the version has a file for the gate, or none can be made; the gate then says so.

        Raises:
            Converting: A job makes one. The conversion knows that the transition waits for it.
            Rejected: The conversion has failed, or a later transition was carried out while it ran.
            DependencyUnavailable: A service does not answer.
        """
        if self._transitions.admission(version.model_name, version.version, version.created_at) is not None:
            return
        source = self._files.convertible(version)
        if source is None:
            return
        conversion = self._conversion(transition, version, source)
        if conversion.status is ConversionStatus.RUNNING:
            if self._conversions.wait(conversion, transition.transition_id):
                raise Converting
            conversion = self._conversion(transition, version, source)  # it has ended just now
        if conversion.status is ConversionStatus.FAILED:
            raise Rejected(f"Version {version.version} cannot be converted to ONNX: {conversion.error}")
        later = self._transitions.overtaken_by(transition) if transition.status is TransitionStatus.CONVERTING else None
        if later is not None:
            raise Rejected(
                f"While version {version.version} was converted, version {later.version} was moved to {later.stage}; "
                "request this transition again if it is still wanted"
            )

    def _conversion(self, transition: Transition, version: Version, source: str) -> Conversion:
        """Return the conversion that counts for the transition; start it if there is none."""
        present = self._conversions.of(version.model_name, version.version, version.created_at)
        if present is not None and present.status is not ConversionStatus.RUNNING:
            waited = transition.status is TransitionStatus.CONVERTING or present.created_at >= transition.created_at
            if present.status is ConversionStatus.SUCCEEDED or waited:
                return present
        wanted = Conversion(
            model_name=version.model_name,
            version=version.version,
            conversion_id=new_conversion_id(),
            registered_at=version.created_at,
            actor=transition.actor,
            request_id=transition.request_id,
        )
        return self._conversions.start(wanted, source)
