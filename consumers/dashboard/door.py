"""Who comes in: by a token, by a session that began with one, by a trusted proxy's word, or, on loopback, anybody."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct

from consumers.dashboard.people import ROLES, Person, Role
from indexer.errors import ConfigurationError

Network = IPv4Network | IPv6Network

_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]{1,5})?")

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class Proxy(Struct, frozen=True, kw_only=True):
    """A proxy that logs people in (OIDC, SAML, …) and says in a header who they are."""

    networks: tuple[Network, ...]  # it comes from there; the header means nothing from elsewhere
    user_header: str = "x-forwarded-user"
    role_header: str = ""  # holds a role's name, or several with commas; empty: everybody is `role`
    role: Role = "viewer"
    profile: str
    legal_basis: str = ""

    def trusts(self, address: str) -> bool:
        try:
            where = ip_address(address)
        except ValueError:
            return False
        return any(where in network for network in self.networks)

    def person(self, headers: Sequence[tuple[str, str]]) -> Person | None:
        """Whom the proxy names; None where it names nobody, or two: then somebody else wrote one of them."""
        names = [value.strip() for key, value in headers if key == self.user_header and value.strip()]
        if len(names) != 1 or len(names[0]) > 200:
            return None
        role: Role = self.role
        if self.role_header:
            said = [value for key, value in headers if key == self.role_header]
            named = {part.strip() for part in said[0].split(",")} if len(said) == 1 else set[str]()
            # Of several the one with the most rights: so groups are meant.
            role = next((each for each in reversed(ROLES) if each in named), self.role)
        return Person(name=names[0], role=role, profile=self.profile, legal_basis=self.legal_basis, by="proxy")


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses or networks. Raises ConfigurationError, also for one that would trust everybody."""
    found: list[Network] = []
    for text in texts:
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            raise ConfigurationError(f"{text!r} is no address or network: write 10.0.0.5 or 10.0.0.0/24") from None
        if network.prefixlen == 0:
            raise ConfigurationError(f"{text} is every address: then everybody could say who he is")
        found.append(network)
    return tuple(found)


def is_loopback(host: str) -> bool:
    """Whether what listens here is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The name in a Host header, without its port, in small letters; empty where it is no name."""
    match = _HOST.fullmatch(header.strip().lower())
    return match["six"] or match["name"] if match else ""


def is_same_origin(headers: Mapping[str, str], scheme_hosts: Sequence[str]) -> bool:
    """Whether a request that changes something comes from one of our own pages, or from no browser at all.

    ``scheme_hosts``: origins that are ours, such as ``http://127.0.0.1:8080``.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin in scheme_hosts
