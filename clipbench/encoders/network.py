"""Whether weights can be fetched now: one short try, in place of minutes of retries.

Knows which machine is asked for which file; sends nothing but the attempt to connect.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

HUB = "https://huggingface.co"
PATIENCE = 5.0
"""Seconds to wait for a connection."""


def reachable(addresses: Iterable[str]) -> bool:
    """Return whether every one of these machines takes a connection; behind a proxy that is for it to say."""
    if {"http", "https", "all"} & getproxies().keys():
        return True
    places = {(url.hostname or "", url.port or 443) for url in map(urlsplit, addresses)}
    return all(_answers(host, port) for host, port in sorted(places))


def hub_address() -> str:
    """Return where the Hugging Face hub is: HF_ENDPOINT, else the public one."""
    return os.environ.get("HF_ENDPOINT") or HUB


@contextmanager
def hub_offline() -> Iterator[None]:
    """Let the hub's library use its cache alone: with no network it would try again and again first."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep the libraries' log lines off the terminal: what matters of them is in our errors and notes."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True
