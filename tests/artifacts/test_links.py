"""The signature in an artifact's URL."""

import pytest

from ledger.keys import SecretKeys
from receiver.links import ArtifactLinks

OLD, NEW = "an-old-secret-key-for-tests", "a-new-secret-key-for-tests"
URL = "https://hooks.example/pb"
ID = "art_01h455vb4pex5vsknk084sn02q"


def links(*keys: str) -> ArtifactLinks:
    return ArtifactLinks(SecretKeys(keys), URL)


def signature(*keys: str, artifact_id: str = ID) -> str:
    prefix = f"{URL}/artifacts/{artifact_id}/"
    url = links(*keys).url(artifact_id)
    assert url.startswith(prefix)
    return url.removeprefix(prefix)


def test_a_link_is_good_and_always_the_same() -> None:
    assert links(OLD).good(ID, signature(OLD))
    assert signature(OLD) == signature(OLD)
    assert len(signature(OLD)) == 43


def test_the_last_key_signs_and_all_verify() -> None:
    assert signature(OLD, NEW) == signature(NEW)
    assert links(OLD, NEW).good(ID, signature(OLD))
    assert links(NEW, OLD).good(ID, signature(NEW))
    assert not links(NEW).good(ID, signature(OLD))


@pytest.mark.parametrize("bad", ["", "=", "подпись", "\ud800", "x" * 43, "\x00"])
def test_other_signatures_are_not(bad: str) -> None:
    assert not links(OLD).good(ID, bad)


def test_a_signature_is_for_one_artifact_and_for_every_character() -> None:
    good = signature(OLD)
    assert not links(OLD).good(ID[:-1] + "r", good)
    assert not links(OLD).good(ID, signature(OLD, artifact_id="art_2"))
    for at in range(len(good)):
        assert not links(OLD).good(ID, good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :])
    assert not links(OLD).good(ID, good + "A")
    assert not links(OLD).good("\ud800", good)
