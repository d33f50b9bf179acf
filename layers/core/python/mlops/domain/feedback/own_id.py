"""The ids that callers give their rows. They may name people, so only their hashes are kept."""

from hashlib import blake2b

from mlops.domain.feedback.prediction_id import RANDOM_BYTES, TIME_BYTES, text_of

MAX_OWN_ID = 256
"""Characters."""


def hashed(own_id: str) -> str:
    """Return a caller's id as it is kept: 20 characters, as those of a prediction id."""
    digest = blake2b(own_id.encode(errors="surrogatepass"), digest_size=TIME_BYTES + RANDOM_BYTES).digest()
    return text_of(digest)
