"""What docs/observability.md says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "observability.md").read_text("utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The table whose first column has that heading: the other cells by the first, without backticks."""
    lines = iter(TEXT.splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines), heading
    found: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        found[first.strip("`")] = others
    del found["---"]
    return found


def fences(language: str) -> list[str]:
    """The code blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
