"""Which storage POSTBACK_ARTIFACTS names."""

from pathlib import Path

from receiver.storage import BadPlace, Folder, Storage


def open_storage(place: str, home: Path) -> Storage:
    """The storage of POSTBACK_ARTIFACTS: a folder's path, or `s3://…`, `gs://…`, `az://…`. Raises `BadPlace`."""
    if "://" not in place:
        return Folder(Path(place))
    try:
        from receiver.bucket import open_bucket  # needs the extra `buckets`
    except ImportError:
        raise BadPlace(f"POSTBACK_ARTIFACTS={place} needs more: pip install 'postback[buckets]'") from None
    return open_bucket(place, home / "drafts")
