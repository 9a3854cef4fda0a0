"""Keeps requests to other people's URLs away from this machine and its network.

A URL's text says nothing: ``http://2130706433/`` and a name that means another address by the time
it is connected to both end on 127.0.0.1.  So names are resolved here, every address is judged, and
the connection goes to an address that was judged.  Host header and certificate keep the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore
import httpx

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.client import AsyncClient, open_client

__all__ = [
    "AddressRefusedError",
    "GuardedBackend",
    "Guardrail",
    "Resolve",
    "guarded_client",
    "guarded_transport",
    "why_refused",
]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name."""

DEFAULT_PORTS = frozenset({80, 443, 8443})

# What ipaddress calls global and is not a public web server's:
# https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 counterpart.
_ALSO_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("100.64.0.0/10", "a carrier's private address"),
        ("192.0.0.0/24", "reserved"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/96", "an IPv4 address in IPv6"),
        ("64:ff9b:1::/48", "a local translation"),
        ("100::/64", "discarded"),
        ("2001::/23", "reserved"),
        # Global or private, by the release of Python; nothing new is reached by it (RFC 7526).
        ("2002::/16", "6to4"),
        ("5f00::/16", "segment routing"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("3fff::/20", "documentation"),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


class AddressRefusedError(errors.InvalidRequestError):
    """The address is one that other people's URLs must not reach; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What a guarded connection may reach.

    ``allowed`` names hosts or networks that may be reached although they are private.
    """

    ports: frozenset[int] = DEFAULT_PORTS
    allowed_hosts: frozenset[str] = frozenset()
    allowed_networks: tuple[Network, ...] = field(default=())

    @classmethod
    def of(cls, *, ports: Iterable[int] = DEFAULT_PORTS, allowed: Iterable[str] = ()) -> Guardrail:
        """From settings: ``allowed`` has host names, addresses and networks."""
        hosts, networks = set(), []
        for text in allowed:
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                hosts.add(_plain(text))
        return cls(frozenset(ports), frozenset(hosts), tuple(networks))

    def check(self, host: str, port: int, addresses: Iterable[str]) -> list[str]:
        """The addresses, if each of them may be reached; raises AddressRefusedError."""
        if port not in self.ports:
            raise AddressRefusedError(
                f"url: port {port} is not one of {', '.join(map(str, sorted(self.ports)))}"
            )
        found = list(dict.fromkeys(addresses))
        if _plain(host) in self.allowed_hosts:
            return found
        for text in found:
            address = ipaddress.ip_address(text)
            if any(address in network for network in self.allowed_networks):
                continue
            if why := why_refused(address):
                # The address stays out of the text: it would map a private network for others.
                raise AddressRefusedError(f"url: its host leads to {why}, which is not allowed")
        return found


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def why_refused(address: IPAddress | str) -> str | None:
    """What is wrong with an address, addresses packed into it included; None if it is public."""
    ip = ipaddress.ip_address(address) if isinstance(address, str) else address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return "an address of one interface"
        for inner in _packed_in(ip):
            if why := why_refused(inner):
                return why
    kinds = (
        (ip.is_loopback, "this machine"),
        (ip.is_unspecified, "this machine"),
        (ip.is_link_local, "a link-local address"),
        (ip.is_multicast, "multicast"),
        (ip.is_private, "a private address"),
        (ip.is_reserved, "a reserved address"),
    )
    for is_so, why in kinds:
        if is_so and not _is_translated(ip):
            return why
    for network, why in _ALSO_REFUSED:
        if ip.version == network.version and ip in network and not _is_translated(ip):
            return why
    return None if ip.is_global or _is_translated(ip) else "an address that is not public"


def _is_translated(ip: IPAddress) -> bool:
    """NAT64's well-known prefix: public when the address in it is."""
    return isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64


def _packed_in(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that a packet to this one may end at."""
    number = int(ip)
    found = [ip.ipv4_mapped, *(ip.teredo or ())]
    if ip in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by the system's resolver; also of ``127.1`` and the like."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that were judged, and to no other."""

    def __init__(
        self,
        rail: Guardrail | None = None,
        *,
        resolve: Resolve = resolve,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._rail = rail or Guardrail()
        self._resolve = resolve
        self._backend = backend or httpcore.AnyIOBackend()
        self.judge = self._judged if backend is None else None
        """Finds the addresses that may be connected to, for whoever connects by himself."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first judged address that answers, all within ``timeout``."""
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        addresses = await self._judged(host, port, timeout)
        failure: Exception | None = None
        for address in addresses:
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                raise httpcore.ConnectTimeout("no connection within the time allowed")
            try:
                return await self._backend.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure or httpcore.ConnectError("the name has no address")

    async def _judged(self, host: str, port: int, timeout: float | None) -> list[str]:
        self._rail.check(host, port, ())
        try:
            async with asyncio.timeout(timeout):
                found = await self._resolve(host, port)
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from exc
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError("the name cannot be resolved") from exc
        return self._rail.check(host, port, found)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: a socket file is this machine."""
        raise AddressRefusedError("url: unix sockets are not allowed", outcome=Outcome.NOT_SENT)

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await self._backend.sleep(seconds)


def guarded_client(rail: Guardrail | None = None, *, resolve: Resolve = resolve) -> AsyncClient:
    """A client for other people's URLs."""
    return open_client(backend=GuardedBackend(rail, resolve=resolve))


def guarded_transport(
    rail: Guardrail | None = None, *, resolve: Resolve = resolve
) -> httpx.AsyncBaseTransport:
    """A transport for other people's URLs, for a client of your own making."""
    transport: httpx.AsyncBaseTransport = guarded_client(rail, resolve=resolve)._transport  # noqa: SLF001
    return transport
