"""The routes with which people sign in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from mlops.api.http import IdentifiedCaller, check_query, lambda_handler
from mlops.api.schemas.sessions import (
    EndedSession,
    IamSignIn,
    KeyShare,
    OneTimeToken,
    OneTimeTokenRequest,
    OneTimeTokenUse,
    Session,
    SignIn,
)
from mlops.domain.access import Caller
from mlops.domain.timestamps import from_milliseconds
from sessions.one_time_tokens import OneTimeTokens
from sessions.personal_keys import PersonalKey, PersonalKeys
from sessions.signing_in import SigningIn

router = APIRouter(tags=["sessions"], dependencies=[Depends(check_query)])
Signing = Annotated[SigningIn, Depends(SigningIn.from_environment)]
Tokens = Annotated[OneTimeTokens, Depends(OneTimeTokens.from_environment)]


@router.post("/session", status_code=201)
def sign_in(body: SignIn, response: Response, signing: Signing) -> Session:
    """Sign in with a token of OpenID Connect, and get a personal API key for 12 hours. This needs no API key."""
    return _session(signing.with_token(body.token, body.role), response)


@router.post("/session/iam", status_code=201)
def sign_in_with_iam(request: Request, response: Response, signing: Signing, body: IamSignIn | None = None) -> Session:
    """Sign in with a request that is signed for AWS IAM, and get a personal API key for 12 hours."""
    identity = request.scope["aws.event"]["requestContext"]["identity"]
    return _session(signing.with_iam(identity.get("userArn"), body.role if body else None), response)


@router.post("/session/tokens", status_code=201)
def make_one_time_token(
    body: OneTimeTokenRequest, caller: IdentifiedCaller, response: Response, tokens: Tokens
) -> OneTimeToken:
    """Get a token with which the console takes your key over, once and within a minute. Any role may."""
    token, until = tokens.make(caller, body.share)
    response.headers["cache-control"] = "no-store"
    return OneTimeToken(token=token, until=from_milliseconds(until * 1000))


@router.post("/session/token")
def spend_one_time_token(body: OneTimeTokenUse, response: Response, tokens: Tokens) -> KeyShare:
    """Spend a one-time token for what it was made with. This needs no API key."""
    response.headers["cache-control"] = "no-store"
    return KeyShare(share=tokens.spend(body.token))


@router.delete("/session")
def sign_out(
    caller: IdentifiedCaller, keys: Annotated[PersonalKeys, Depends(PersonalKeys.from_environment)]
) -> EndedSession:
    """End your personal key now. Functions that have just seen it take it for at most a minute more."""
    ended = keys.end(caller)
    return EndedSession(name=ended.name, until=_until(ended))


def _session(key: PersonalKey, response: Response) -> Session:
    response.headers["cache-control"] = "no-store"
    caller = key.caller
    return Session(
        key=key.value,
        name=caller.name,
        owner=caller.owner,
        role=caller.role,
        models=list(caller.models),
        until=_until(caller),
    )


def _until(caller: Caller) -> str:
    assert caller.until is not None, "it is a personal key"
    return from_milliseconds(caller.until * 1000)


handler = lambda_handler(router, public=True)
