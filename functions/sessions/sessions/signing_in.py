"""From a token or a signed request to a personal key."""

from functools import cache

from mlops.domain.access import Role
from mlops.domain.errors import Forbidden
from sessions.issuer_keys import IssuerKeys
from sessions.personal_keys import PersonalKey, PersonalKeys
from sessions.principals import person_of
from sessions.rules import granted
from sessions.settings import SessionSettings
from sessions.tokens import Tokens

SHOWN_GROUPS = 20


class SigningIn:
    """What the routes do."""

    def __init__(self, settings: SessionSettings, tokens: Tokens, keys: PersonalKeys) -> None:
        self._settings, self._tokens, self._keys = settings, tokens, keys

    @classmethod
    def from_environment(cls) -> "SigningIn":
        return _signing_in()

    def with_token(self, token: str, role: Role | None) -> PersonalKey:
        """Make a key for whoever a token is of.

        Raises:
            Forbidden: The stack takes no tokens, or no group of the person may do anything, or not what is asked for.
            InvalidToken: The token is not valid.
            DependencyUnavailable: The issuer does not answer.
        """
        for parameter, value in (
            ("OidcIssuer", self._settings.oidc_issuer),
            ("OidcGroups", self._settings.oidc_groups),
        ):
            if not value:
                raise Forbidden(
                    f"Nobody can sign in with a token: the stack's parameter {parameter} is empty. Ask an operator "
                    "for a key, or to set it"
                )
        person = self._tokens.person(token)
        groups = ", ".join(map(repr, person.groups[:SHOWN_GROUPS])) or "none"
        grant = granted(
            (rule for rule in self._settings.group_rules if rule.who in person.groups),
            role,
            f"No group of {person.owner} may use this stack. The token's claim {self._settings.oidc_groups_claim!r} "
            f"has the groups: {groups}. An operator can add one to the parameter OidcGroups",
        )
        return self._keys.make(person.owner, grant)

    def with_iam(self, arn: str | None, role: Role | None) -> PersonalKey:
        """Make a key for the principal that has signed a request.

        Raises:
            Forbidden: The stack takes none, the request is not signed, or the principal may do nothing, or not what is
                asked for.
        """
        if not self._settings.iam_principals:
            raise Forbidden(
                "Nobody can sign in with IAM: the stack's parameter IamPrincipals is empty. Ask an operator for a key, "
                "or to set it"
            )
        if not arn:
            raise Forbidden("The request is not signed with credentials of AWS; use `mlops login --iam`")
        person = person_of(arn)
        grant = granted(
            (rule for rule in self._settings.principal_rules if any(map(rule.matches, person.groups))),
            role,
            f"{person.groups[0]} may not use this stack. An operator can add it to the parameter IamPrincipals",
        )
        return self._keys.make(person.owner, grant)


@cache
def _signing_in() -> SigningIn:
    settings = SessionSettings.from_environment()
    tokens = Tokens(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_groups_claim,
        settings.oidc_owner_claim,
        IssuerKeys(settings.oidc_issuer),
    )
    return SigningIn(settings, tokens, PersonalKeys.from_environment())
