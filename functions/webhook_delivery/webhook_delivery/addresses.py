"""Which addresses messages are sent to: those of the public Internet only.

Otherwise whoever may make a webhook could reach what only the platform's network reaches, such as the service that
hands out a machine's credentials at 169.254.169.254.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""The last 32 bits are the IPv4 address that a translator (NAT64) sends to, RFC 6052."""
_UNICAST = IPv6Network("2000::/3")
"""All that is given out as global, RFC 4291 and IANA's registry of IPv6 address space."""
_DOCUMENTATION = IPv6Network("3fff::/20")
"""RFC 9637, which ipaddress does not know in each version of Python."""


def is_public(text: str) -> bool:
    """Return whether an address is one of the public Internet.

    An IPv6 address that stands for an IPv4 address (v4-mapped, NAT64, 6to4) is as public as that one.
    """
    try:
        address = ip_address(text)
    except ValueError:  # such as one with a zone
        return False
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is None:
            return address in _UNICAST and address not in _DOCUMENTATION and address.is_global
        address = inner
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
