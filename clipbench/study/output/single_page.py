"""A web page as one file that holds all it needs: data as JSON, pictures as addresses, a policy of its own.

Nothing a dataset or a person wrote is ever put into HTML: it travels as JSON and becomes text in the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import cast

from clipbench.keys import Json

HEAD, FOOT = "<!--head-->", "<!--foot-->"
"""Where style and script go in a page's HTML."""


def single_page(html: str, style: str, script: str, data: Mapping[str, Json]) -> str:
    """Return a page with style, script and data inside; it loads nothing.

    Its policy names the digests of its own style and script, so nothing else can run in it.
    """
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    foot = f'<script type="application/json" id="data">{embedded(data)}</script>\n<script>{script}</script>'
    return html.replace(HEAD, head).replace(FOOT, foot)


def embedded(data: Mapping[str, Json] | Sequence[Json]) -> str:
    r"""Return JSON that can stand inside a script element, whatever its strings hold.

    >>> embedded({"caption": "</script>&"})
    '{"caption":"\\u003c/script\\u003e\\u0026"}'
    """
    text = json.dumps(cast("object", data), ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def data_address(jpeg: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
