"""PNG files whose metadata is larger than Pillow reads: the same pixels without it.

Pillow refuses a whole file for a text, XMP or colour profile chunk beyond its limits, although the pixels do
not depend on it. Knows chunks; decodes no pixel.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PIL.PngImagePlugin import MAX_TEXT_CHUNK, MAX_TEXT_MEMORY

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT, PACKED_TEXT, UNICODE_TEXT, PROFILE = b"tEXt", b"zTXt", b"iTXt", b"iCCP"
FRAME = 12
"""Bytes of a chunk beside its content: length, kind, checksum."""


def without_large_metadata(data: bytes) -> bytes:
    """Return a PNG file without the text and profile chunks that Pillow has no room for; other data as it is.

    Small ones stay, for one of them may hold the orientation. Pixels and their checksums are not touched.
    """
    if not data.startswith(SIGNATURE):
        return data
    kept = [SIGNATURE]
    room = MAX_TEXT_MEMORY
    for kind, chunk in _chunks(data):
        if kind in {TEXT, PACKED_TEXT, UNICODE_TEXT, PROFILE}:
            size = _inflated_size(kind, chunk[8:-4])
            if size > min(MAX_TEXT_CHUNK, room):
                continue
            room -= size
        kept.append(chunk)
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and bytes of every chunk, frame included; what follows a damaged length comes as one piece."""
    start = len(SIGNATURE)
    while start < len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + FRAME + length
        if end > len(data):
            yield b"", data[start:]
            return
        yield data[start + 4 : start + 8], data[start:end]
        start = end


def _inflated_size(kind: bytes, content: bytes) -> int:
    """Return how many bytes a chunk holds once inflated; one more than Pillow's limit where it is beyond that."""
    packed = _packed_part(kind, content)
    if packed is None:
        return len(content)
    try:
        return max(len(content), len(zlib.decompressobj().decompress(packed, MAX_TEXT_CHUNK + 1)))
    except zlib.error:  # damaged metadata: Pillow passes over it
        return len(content)


def _packed_part(kind: bytes, content: bytes) -> bytes | None:
    """Return the compressed part of a chunk, None where nothing in it is compressed."""
    _, _, rest = content.partition(b"\0")
    if kind in {PACKED_TEXT, PROFILE}:
        return rest[1:]  # after the keyword: the compression method
    if kind == UNICODE_TEXT and rest[:1] == b"\1":
        return rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # after flag, method, language, translation
    return None
