"""How people may sign in, from the parameters of the stack."""

from dataclasses import dataclass
from functools import cached_property

from mlops.settings import Settings
from sessions.rules import Rule, read_rules


@dataclass(frozen=True)
class SessionSettings(Settings):
    """The fields are the parameters of the template with the same names; empty ones are not set."""

    oidc_issuer: str
    oidc_audience: str
    oidc_groups_claim: str
    oidc_owner_claim: str
    oidc_groups: str
    iam_principals: str

    @cached_property
    def group_rules(self) -> tuple[Rule, ...]:
        """What members of groups may do. Raises ValueError: OidcGroups is not valid."""
        return read_rules("OidcGroups", self.oidc_groups)

    @cached_property
    def principal_rules(self) -> tuple[Rule, ...]:
        """What principals of IAM may do. Raises ValueError: IamPrincipals is not valid."""
        return read_rules("IamPrincipals", self.iam_principals)
