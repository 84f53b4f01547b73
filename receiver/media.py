"""What a file is, told by its first bytes: nobody's word for it is taken. After the WHATWG's MIME Sniffing standard."""

import re

HEAD = 1024
"""How many bytes from a file's start are enough to tell."""

UNKNOWN = "application/octet-stream"
WEB_PAGE = "text/html"

EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/tiff": ".tiff",
    "image/bmp": ".bmp",
    "image/avif": ".avif",
    "image/svg+xml": ".svg",
    "video/mp4": ".mp4",
}
"""Every type that is told apart, but for web pages, and how its files end."""

SHOWN = frozenset(EXTENSIONS) - {"image/svg+xml"}
"""Types that a browser may show in place. An SVG can hold scripts."""

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_MP4_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"mp4v", b"avc1", b"dash", b"M4V "}
)
# Possessive, or blanks and brackets without end would cost time without end.
_PROLOGUE = rb"(?:\xef\xbb\xbf)?(?>\s+|<\?xml[^>]*>|<!--.*?-->|<!doctype\s+svg[^>\[]*(?:\[.*?\]\s*)?>)*+"
_SVG = re.compile(_PROLOGUE + rb"<(?:\w+:)?svg[\s>/]", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>\s+|<!--.*?-->)*+<(?:!doctype\s+html|html|head|body)[\s>]", re.DOTALL | re.IGNORECASE
)


def sniff(head: bytes) -> str:
    """The media type of a file that begins with `head` (its first `HEAD` bytes); `UNKNOWN` if it is none of ours."""
    for prefix, media_type in _PREFIXES:
        if head.startswith(prefix):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    # Its two letters alone would be too common: the reserved fields of a bitmap's header are zero.
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if _SVG.match(head):
        return "image/svg+xml"
    return WEB_PAGE if _HTML.match(head) else UNKNOWN


def _by_brand(head: bytes) -> str:
    """Of an ISO base media file: its first box names what it is and what else it can be read as (ISO 14496-12)."""
    end = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "image/avif"
    return "video/mp4" if _MP4_BRANDS.intersection(brands) else UNKNOWN
