import pytest

from .counting import shape


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO jobs (id) VALUES (?)", "INSERT jobs"),
        ("SELECT jobs.id\nFROM jobs\nWHERE jobs.id = ?", "SELECT jobs"),
        ("UPDATE deliveries SET status = ? FROM (VALUES (?)) AS new", "UPDATE deliveries"),
        ("SELECT id FROM (SELECT id FROM deliveries) AS part", "SELECT deliveries"),
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("SAVEPOINT sa_savepoint_1", "SAVEPOINT"),
    ],
)
def test_shape(statement: str, kind: str) -> None:
    assert shape(statement) == kind
