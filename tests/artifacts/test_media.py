"""Telling files apart by how they begin."""

import pytest

from postback.simulator.images import png
from receiver.media import EXTENSIONS, HEAD, SHOWN, UNKNOWN, WEB_PAGE, sniff


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4) + body + b"\x00\x00\x00\x08moov"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'

HEADS = [
    (png("a"), "image/png"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
    (b"GIF89a\x01\x00\x01\x00", "image/gif"),
    (b"GIF87a\x01\x00\x01\x00", "image/gif"),
    (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
    (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
    (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", "image/bmp"),
    (box(b"avif", b"mif1", b"miaf"), "image/avif"),
    (box(b"mif1", b"avif"), "image/avif"),
    (box(b"isom", b"iso2", b"avc1"), "video/mp4"),
    (box(b"XAVC", b"mp42"), "video/mp4"),
    (SVG, "image/svg+xml"),
    (
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made by -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">'
        + SVG,
        "image/svg+xml",
    ),
    (b"<!DOCTYPE svg [\n<!ENTITY a 'b'>\n]>\n" + SVG, "image/svg+xml"),
    (b"  <SVG >", "image/svg+xml"),
    (b"<svg:svg xmlns:svg='x'>", "image/svg+xml"),
    (b"<!DOCTYPE html><svg>", WEB_PAGE),
    (b"\n<!-- x --><HTML lang=en>", WEB_PAGE),
    (b"<html>", WEB_PAGE),
    (b"", UNKNOWN),
    (b"\x89PNG", UNKNOWN),
    (b"RIFF\x10\x00\x00\x00WAVEfmt ", UNKNOWN),
    (b"BMW 320i for sale", UNKNOWN),
    (box(b"heic", b"mif1"), UNKNOWN),
    (b"\x00\x00\x00\x00ftyp", UNKNOWN),
    (b"<svgish>", UNKNOWN),
    (b'{"error": "<svg>"}', UNKNOWN),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", UNKNOWN),
]


@pytest.mark.parametrize(("head", "media_type"), HEADS)
def test_each_kind(head: bytes, media_type: str) -> None:
    assert sniff(head[:HEAD]) == media_type


def test_every_type_is_in_the_table_above() -> None:
    assert {media_type for _, media_type in HEADS} == {*EXTENSIONS, WEB_PAGE, UNKNOWN}
    assert "image/svg+xml" not in SHOWN


def test_a_long_head_is_told_quickly() -> None:
    assert sniff((b"<!--" * HEAD)[:HEAD]) == UNKNOWN
    assert sniff((b" \n" * HEAD)[:HEAD]) == UNKNOWN
    assert sniff((b"<?xml " * HEAD)[:HEAD]) == UNKNOWN
    assert sniff((b"<!doctype svg [" * HEAD)[:HEAD]) == UNKNOWN
    assert sniff((b"<!---->" * HEAD)[:HEAD]) == UNKNOWN
