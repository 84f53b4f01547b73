import os
import stat
from pathlib import Path

import pytest

from ledger.errors import CannotOpen
from ledger.keys import BadKeys
from postback.keyfiles import api_key, secret_keys
from postback.settings import Settings, load


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "new" / "home"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POSTBACK_SECRET_KEYS", "POSTBACK_API_KEY", "POSTBACK_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def settings(home: Path, **changes: str) -> Settings:
    return load(home=str(home), **changes)


def test_keys_are_made_once_and_stay(home: Path) -> None:
    first, key = secret_keys(settings(home)), api_key(settings(home))
    assert secret_keys(settings(home)).fingerprints == first.fingerprints
    assert api_key(settings(home)) == key
    assert len(key) >= 32


def test_two_homes_have_different_keys(tmp_path: Path) -> None:
    one, other = settings(tmp_path / "one"), settings(tmp_path / "other")
    assert secret_keys(one).fingerprints != secret_keys(other).fingerprints
    assert api_key(one) != api_key(other)


def test_only_their_owner_may_read_them(home: Path) -> None:
    here = settings(home)
    before = os.umask(0)
    try:
        secret_keys(here)
        api_key(here)
    finally:
        os.umask(before)
    for path in (here.secret_keys_file, here.api_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_set_is_taken_and_nothing_is_written(home: Path) -> None:
    here = settings(home, secret_keys="first key of sixteen,second key of sixteen", api_key="mine")
    assert len(secret_keys(here).fingerprints) == 2
    assert api_key(here) == "mine"
    assert not home.exists()


def test_a_file_may_hold_several_keys(home: Path) -> None:
    here = settings(home)
    made = secret_keys(here).fingerprints
    text = here.secret_keys_file.read_text().strip()
    here.secret_keys_file.write_text(f"{text},a second key of mine\n")
    assert len(secret_keys(here).fingerprints) == 2
    assert secret_keys(here).fingerprints[0] == made[0]


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_file_is_not_a_key(home: Path, text: str) -> None:
    here = settings(home)
    home.mkdir(parents=True)
    for path, read in ((here.secret_keys_file, secret_keys), (here.api_key_file, api_key)):
        path.write_text(text)
        with pytest.raises(CannotOpen, match=r"is empty; put the key back, or delete the file"):
            read(here)


def test_a_short_key_is_refused(home: Path) -> None:
    here = settings(home)
    home.mkdir(parents=True)
    here.secret_keys_file.write_text("short\n")
    with pytest.raises(BadKeys) as caught:
        secret_keys(here)
    assert "short" not in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here = settings(tmp_path / "file" / "home")
    for read in (secret_keys, api_key):
        with pytest.raises(CannotOpen, match=r"cannot keep a key in .*POSTBACK_HOME to a folder you own"):
            read(here)


def test_a_folder_where_the_file_should_be(home: Path) -> None:
    here = settings(home)
    here.api_key_file.mkdir(parents=True)
    with pytest.raises(CannotOpen, match="cannot keep a key in"):
        api_key(here)


def test_a_file_that_is_not_text(home: Path) -> None:
    here = settings(home)
    home.mkdir(parents=True)
    here.api_key_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CannotOpen, match="is not text"):
        api_key(here)


def test_postgresql_needs_keys_that_every_process_shares(home: Path) -> None:
    here = settings(home, database_url="postgresql://db/postback")
    with pytest.raises(CannotOpen, match="POSTBACK_SECRET_KEYS must be set on PostgreSQL"):
        secret_keys(here)
    given = settings(home, database_url="postgresql://db/postback", secret_keys="a key of sixteen or more")
    assert len(secret_keys(given).fingerprints) == 1
