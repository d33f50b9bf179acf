"""Which requests the challenger answers, and which ask both versions. Only hashes decide, so no state is shared.

Imports the standard library only, because predict uses it.
"""

from hashlib import blake2b

_DIGEST_BYTES = 8
_HASHES = 1 << 8 * _DIGEST_BYTES
_CANARY, _SHADOW = b"canary", b"shadow"  # `person` of the hash: who is in the canary says nothing about the shadow


def in_canary(rollout_id: str, routing_key: str, weight: float) -> bool:
    """Return whether the challenger answers requests with this key.

    A key that is in the canary at one weight is in it at every larger one. Another rollout draws anew.

    Args:
        rollout_id: The rollout.
        routing_key: What the caller chose, such as the id of a customer, or else the id of the request.
        weight: The share of the keys in percent, 0 to 100. Of few keys, or of keys with very different traffic, the
            share of the requests is another one.
    """
    return weight > 0 and _hash(rollout_id, routing_key, _CANARY) < weight / 100 * _HASHES


def in_shadow(rollout_id: str, request_id: str, share: float) -> bool:
    """Return whether both versions are asked, to compare them. `share` is that of the requests, 0 to 1."""
    return share >= 1 or _hash(rollout_id, request_id, _SHADOW) < share * _HASHES


def _hash(rollout_id: str, key: str, person: bytes) -> int:
    text = f"{rollout_id}\0{key}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES, person=person).digest())
