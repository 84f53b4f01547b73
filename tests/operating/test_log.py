"""A log that cannot be written, as on a full disk, ends nothing."""

import errno
import io
from typing import cast

import pytest

from postback.logs import _Forgiving


class Full(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written() -> None:
    stream = Full()
    log = _Forgiving(cast(io.TextIOWrapper, stream))
    with pytest.raises(OSError, match="No space"):
        stream.write("lost")
    log.write("lost")
    log.flush()
    stream.full = False
    log.write("kept")
    log.flush()
    assert stream.getvalue() == "kept"
