"""Whether a provider could call us at all."""

import ipaddress
from urllib.parse import urlsplit


def can_call(provider_url: str, public_url: str) -> bool:
    """False when our public URL is on a loopback or private address and the provider's is not.

    Names are taken to be public, but for `localhost`: what they resolve to here says nothing about elsewhere.
    """
    return not _private(public_url) or _private(provider_url)


def _private(url: str) -> bool:
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not address.is_global  # carrier-grade NAT, where VPNs live, is neither private nor global
