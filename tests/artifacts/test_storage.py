"""One contract for a folder and for a bucket. The bucket is obstore's own, in memory."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore, S3Store

from receiver.bucket import Bucket
from receiver.places import open_storage
from receiver.storage import CHUNK, BadPlace, Folder, Missing, Storage, StorageError

pytestmark = pytest.mark.anyio

NAME = "art_01h455vb4pex5vsknk084sn02q"


def folder(home: Path) -> Storage:
    return Folder(home / "artifacts")


def bucket(home: Path) -> Storage:
    return Bucket(MemoryStore(), home / "drafts")


@pytest.fixture(params=[folder, bucket], ids=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    make: Callable[[Path], Storage] = request.param
    return make(tmp_path)


def drafted(storage: Storage, content: bytes) -> Path:
    storage.drafts.mkdir(parents=True, exist_ok=True)
    draft = storage.drafts / NAME
    draft.write_bytes(content)
    return draft


async def held(storage: Storage) -> bytes:
    return b"".join([chunk async for chunk in await storage.open(NAME)])


@pytest.mark.parametrize("content", [b"x", bytes(range(256)) * (CHUNK // 100)])
async def test_what_is_kept_can_be_read(storage: Storage, content: bytes) -> None:
    await storage.keep(drafted(storage, content), NAME, "image/png")
    assert await held(storage) == content


async def test_keeping_again_replaces(storage: Storage) -> None:
    await storage.keep(drafted(storage, b"one"), NAME, "image/png")
    await storage.keep(drafted(storage, b"other"), NAME, "image/png")
    assert await held(storage) == b"other"


async def test_a_draft_is_not_served(storage: Storage) -> None:
    drafted(storage, b"half")
    with pytest.raises(Missing):
        await storage.open(NAME)


async def test_deleting(storage: Storage) -> None:
    await storage.keep(drafted(storage, b"x"), NAME, "image/png")
    await storage.delete(NAME)
    with pytest.raises(Missing):
        await storage.open(NAME)
    await storage.delete(NAME)


async def test_a_missing_draft_keeps_nothing(storage: Storage) -> None:
    with pytest.raises(StorageError):
        await storage.keep(storage.drafts / NAME, NAME, "image/png")
    with pytest.raises(Missing):
        await storage.open(NAME)


async def test_a_folder_moves_its_draft_and_spreads_its_files(tmp_path: Path) -> None:
    storage = folder(tmp_path)
    draft = drafted(storage, b"x")
    await storage.keep(draft, NAME, "image/png")
    assert not draft.exists()
    assert (tmp_path / "artifacts" / "2q" / NAME).read_bytes() == b"x"


async def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("in the way")
    storage = Folder(tmp_path / "artifacts")
    draft = tmp_path / "draft"
    draft.write_bytes(b"x")
    with pytest.raises(StorageError, match="cannot be written: "):
        await storage.keep(draft, NAME, "image/png")
    with pytest.raises(StorageError, match="cannot be read: "):
        await storage.open(NAME)


async def test_a_bucket_tells_the_type(tmp_path: Path) -> None:
    store = MemoryStore()
    storage = Bucket(store, tmp_path)
    await storage.keep(drafted(storage, b"x"), NAME, "image/png")
    assert (await store.get_async(NAME)).attributes["Content-Type"] == "image/png"


async def test_a_bucket_that_cannot_be_reached(tmp_path: Path) -> None:
    nobody = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:9",
        client_options={"allow_http": True},
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        retry_config={"max_retries": 0},
    )
    storage = Bucket(nobody, tmp_path)
    with pytest.raises(StorageError, match=r"^the artifact bucket cannot be written: [^\n]+$"):
        await storage.keep(drafted(storage, b"x"), NAME, "image/png")
    with pytest.raises(StorageError, match="cannot be read"):
        await storage.open(NAME)
    with pytest.raises(StorageError, match="cannot be deleted"):
        await storage.delete(NAME)


async def test_a_place_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    assert isinstance(open_storage(str(tmp_path / "a"), tmp_path), Folder)
    for place in ("s3://bucket/images", "gs://bucket"):
        opened = open_storage(place, tmp_path)
        assert isinstance(opened, Bucket)
        assert opened.drafts == tmp_path / "drafts"


async def test_a_bucket_that_lacks_something_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(BadPlace, match=r"^POSTBACK_ARTIFACTS=az://images cannot be used: [^\n]+$"):
        open_storage("az://images", tmp_path)


async def test_buckets_are_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "receiver.bucket")
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(BadPlace, match=r"pip install 'postback\[buckets\]'"):
        open_storage("s3://bucket", tmp_path)
    assert isinstance(open_storage(str(tmp_path), tmp_path), Folder)
