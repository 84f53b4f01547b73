"""One target in a process of its own, because libFuzzer owns its process: `child.py TARGET PLANT FOLDER OPTION…`.

`PLANT` is `whole`, or `broken`, which breaks the product first. The seeds go into the folder, and what is kept of what
was made of them; for the replay of one input, `FOLDER` is that file.
"""

import logging
import re
import sys
from pathlib import Path

import atheris
import structlog

from .plants import PLANTS
from .targets import LED_BY, Target, load

WORD = re.compile(rb'"([\w.:/*-]{1,40})"')


def main() -> None:
    """Runs libFuzzer, which ends the process: with 0, or with 77 where a rule was broken."""
    name, plant, given, *options = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with atheris.instrument_imports(include=list(LED_BY[name])):
        target = load(name)
    if plant == "broken":
        PLANTS[name]()
    place = Path(given)
    if place.is_dir():
        options.append(f"-dict={_fill(place, target)}")
    atheris.Setup([name, *options, given], target.judge)
    atheris.Fuzz()


def _fill(folder: Path, target: Target) -> Path:
    """Writes the seeds, and beside their folder the words in them, which mutations put in elsewhere."""
    seeds = sorted(set(target.seeds()))
    for number, seed in enumerate(seeds):
        (folder / f"{number:04}").write_bytes(seed)
    words = sorted({word for seed in seeds for word in WORD.findall(seed)} | {b'"', b'":', b"null", b"\\u0000"})
    escaped = [word.replace(b"\\", rb"\\").replace(b'"', rb"\"") for word in words]
    listed = folder.with_name(f"{folder.name}.words")
    listed.write_bytes(b"".join(b'"' + word + b'"\n' for word in escaped))
    return listed


if __name__ == "__main__":
    main()
