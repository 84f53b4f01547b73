"""How often Python looks for garbage."""

import gc


def look_seldom() -> None:
    """What is loaded now stays for good, and transactions and requests leave few circles behind: looking for them less
    often is worth a tenth of the processor."""
    gc.freeze()  # with the little that a start leaves behind: to find it would take as long as a hundred callbacks
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
