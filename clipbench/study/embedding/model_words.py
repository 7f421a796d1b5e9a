"""The words of ours that `--model` knows beside those of the backends."""

from __future__ import annotations

from collections.abc import Mapping

DEMO = "demo"
"""The word that stands for the bundled tiny model; it is loaded as `local-dir:` like any other."""

IMPORTED = "imported:"
"""`--model imported:WORDS` means vectors that `embed import` attached under these words."""

ADAPTER = "adapter:"
"""`--model adapter:NAME` means an adapter that `adapt train` stored, on top of its own base."""

USAGES: Mapping[str, str] = {
    IMPORTED: "imported:WORDS (vectors that embed import attached)",
    ADAPTER: "adapter:NAME (a head that adapt train stored)",
}
"""How they are typed, for help and messages."""
