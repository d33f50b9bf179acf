"""Signing in and out."""

from pydantic import BaseModel, ConfigDict, Field

from mlops.domain.access import Role

MAX_TOKEN_LENGTH = 16_000


class IamSignIn(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = Field(
        default=None, description="A role that is enough; without it the key has the highest one that you may have"
    )


class SignIn(IamSignIn):
    """A token, and what is asked for."""

    token: str = Field(
        min_length=1, max_length=MAX_TOKEN_LENGTH, description="An ID token, for the audience that the operator has set"
    )


class Session(BaseModel):
    """A personal key, and what it may do."""

    key: str = Field(description="The API key, for the header x-api-key. It is not shown again")
    name: str = Field(description="Name of the key, as the history shows it")
    owner: str = Field(description="The person whom the key belongs to")
    role: str = Field(description="predict, read, feedback, train, approve or admin; each may do what those before may")
    models: list[str] = Field(
        description="The models and experiments that the key is for; a name that ends in * stands for all names with "
        "this beginning"
    )
    until: str = Field(description="When the key ends")


SHARE = r"^[A-Za-z0-9_-]{1,400}$"


class OneTimeTokenRequest(BaseModel):
    """What is to be carried to the console."""

    model_config = ConfigDict(extra="forbid")

    share: str = Field(
        pattern=SHARE,
        description="Your key, each byte XORed with a random one, in base64url. The random bytes go into the address "
        "only, so that what is stored opens nothing",
    )


class OneTimeToken(BaseModel):
    """A token that is good for one time."""

    token: str = Field(description="The token, for POST /session/token. It is not shown again")
    until: str = Field(description="When it ends, if nobody uses it")


class OneTimeTokenUse(BaseModel):
    """A token to be spent."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=200, description="The token")


class KeyShare(BaseModel):
    """What a token was made with."""

    share: str = Field(description="As it was sent to POST /session/tokens")


class EndedSession(BaseModel):
    """A personal key that has ended."""

    name: str = Field(description="Name of the key")
    until: str = Field(description="When it ended")
