import pytest

from ledger.keys import BadKeys, SecretKeys

OLD, NEW, OTHER = "the first key of all", "a newer key of sixteen", "somebody else's long key"


def test_each_purpose_and_each_key_has_a_subkey_of_its_own() -> None:
    keys = SecretKeys([OLD, NEW])
    made = [subkey for purpose in ("callback-token", "cookies", "at-rest") for subkey in keys.subkeys(purpose)]
    assert len(set(made)) == 6
    assert {len(subkey) for subkey in made} == {32}
    assert SecretKeys([OLD]).subkeys("cookies") == keys.subkeys("cookies")[:1]


def test_the_last_key_seals_and_all_open() -> None:
    sealed = SecretKeys([OLD]).encrypt("whsec_灯塔")
    both = SecretKeys([OLD, NEW])
    assert both.decrypt(sealed) == "whsec_灯塔"
    assert SecretKeys([NEW]).decrypt(both.encrypt("x")) == "x"
    with pytest.raises(BadKeys, match="POSTBACK_SECRET_KEYS"):
        SecretKeys([NEW]).decrypt(sealed)


def test_sealing_hides_and_never_repeats() -> None:
    keys = SecretKeys([OLD])
    assert "whsec" not in keys.encrypt("whsec_1")
    assert keys.encrypt("whsec_1") != keys.encrypt("whsec_1")


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA"])
def test_what_was_not_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(BadKeys):
        SecretKeys([OLD]).decrypt(sealed)


def test_fingerprints_tell_keys_apart_and_hide_them() -> None:
    fingerprints = SecretKeys([OLD, NEW, OTHER]).fingerprints
    assert len(set(fingerprints)) == 3
    assert SecretKeys([NEW]).fingerprints == fingerprints[1:2]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "set POSTBACK_SECRET_KEYS"),
        (["fifteen letters"], "at least 16 characters"),
        ([OLD, "short"], "at least 16 characters"),
        ([""], "at least 16 characters"),
    ],
)
def test_missing_and_short_keys_are_refused_without_quoting_them(keys: list[str], says: str) -> None:
    with pytest.raises(BadKeys, match=says) as refused:
        SecretKeys(keys)
    assert not any(key and key in str(refused.value) for key in keys)
