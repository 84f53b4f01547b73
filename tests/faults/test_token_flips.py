"""Row 12: 100,000 tokens with flipped bits, of several jobs and both providers. None is accepted."""

import random
from collections import Counter

from builders import NOW, FakeClock
from itsdangerous import BadData
from itsdangerous.encoding import base64_decode

from ledger.ids import Ids
from ledger.keys import SecretKeys
from ledger.tokens import BadToken, CallbackTokens

FLIPPED = 100_000


def test_none_of_100000_is_accepted() -> None:
    chance = random.Random(12)
    tokens = CallbackTokens(SecretKeys(["a key of sixteen and more"]), FakeClock())
    minted = [tokens.mint(Ids().new("job", NOW), provider) for provider in ("dashscope", "acedata") * 5]
    told: Counter[str] = Counter()
    while told["accepted"] + told["refused"] < FLIPPED:
        token = chance.choice(minted)
        flipped = _flip(token, chance)
        if _means(flipped) == _means(token):
            told["other spellings of the same token"] += 1
            continue
        told["accepted" if _accepted(tokens, flipped) else "refused"] += 1
    assert (told["accepted"], told["refused"]) == (0, FLIPPED)
    assert told["other spellings of the same token"] < FLIPPED // 50
    assert all(_accepted(tokens, token) for token in minted)


def _flip(token: str, chance: random.Random) -> str:
    """One to three bits of ASCII."""
    letters = bytearray(token, "ascii")
    for _ in range(chance.randint(1, 3)):
        letters[chance.randrange(len(letters))] ^= 1 << chance.randrange(7)
    return letters.decode("ascii")


def _means(token: str) -> tuple[str, bytes] | None:
    """What is signed, and the signature as bytes: base64 has several spellings of the same bytes."""
    signed, _, signature = token.rpartition(".")
    try:
        return signed, base64_decode(signature)
    except BadData:
        return None


def _accepted(tokens: CallbackTokens, token: str) -> bool:
    try:
        tokens.read(token)
    except BadToken:
        return False
    return True
