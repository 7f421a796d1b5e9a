"""What people type to reach the page, and the host names that go with it."""

from __future__ import annotations

import socket

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104, named to be told apart, and only listened on where asked


def host_names(host: str) -> tuple[str, ...]:
    """Return the names under which a browser may reach a page that listens on `host`, the best one first.

    Listening everywhere, these are this machine's name and its address in the network.

    >>> host_names("127.0.0.1"), host_names("::1")
    (('127.0.0.1',), ('[::1]',))
    """
    if host in EVERYWHERE:
        return tuple(dict.fromkeys((*_network_addresses(), socket.gethostname(), "localhost")))
    return (f"[{host}]",) if ":" in host else (host,)


def is_open_to_others(host: str) -> bool:
    """Whether a page that listens on `host` can be reached from other machines, without encryption.

    >>> is_open_to_others("127.0.0.1"), is_open_to_others("0.0.0.0")
    (False, True)
    """
    return host not in {"localhost", "::1"} and not host.startswith("127.")


def addresses(host: str, names: tuple[str, ...], port: int, token: str) -> tuple[str, ...]:
    """Return the whole addresses of the page, for people: one, or where it listens everywhere one per name."""
    shown = names if host in EVERYWHERE else (*host_names(host), *names[1:])
    return tuple(f"http://{name}:{port}/{token}/" for name in dict.fromkeys(shown))


def _network_addresses() -> tuple[str, ...]:
    """Return this machine's address towards its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation addresses (RFC 5737) lead nowhere
        except OSError:
            return ()
        return (str(probe.getsockname()[0]),)
