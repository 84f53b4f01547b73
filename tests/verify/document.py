"""The code that docs/verify.md shows."""

import re
from pathlib import Path

DOCUMENT = (Path(__file__).parents[2] / "docs" / "verify.md").read_text("utf-8")

COMMENT = {"python": "#", "ts": "//"}


def blocks(language: str) -> list[str]:
    """The code blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def programs(language: str) -> dict[str, str]:
    """The same by file name, which the first line of each tells in a comment."""
    named = {}
    for block in blocks(language):
        name = block.splitlines()[0].removeprefix(f"{COMMENT[language]} ")
        assert re.fullmatch(r"[a-z_-]+\.(py|ts)", name), block
        named[name] = block
    return named


def table(heading: str) -> list[str]:
    """The first column of the table with that heading: what its cells have in backticks."""
    rows = DOCUMENT.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
