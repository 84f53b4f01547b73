"""Bodies that nobody should have sent."""

NOT_JSON = {
    "NaN": b'{"model": NaN}',
    "Infinity": b'{"model": -Infinity}',
    "1e999": b'{"model": 1e999}',
    "nested 100,000 deep": b'{"input": ' + b"[" * 100_000,
    "nested and closed": b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an integer of 5,000 digits": b'{"input": ' + b"9" * 5_000 + b"}",
    "duplicate keys": b'{"model": "a", "model": "b"}',
    "UTF-16": '{"model": "a"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"model": "a"}'.encode("utf-16-be"),
    "a byte order mark": b'\xef\xbb\xbf{"model": "a"}',
    "Latin-1": '{"model": "\xe9"}'.encode("latin-1"),
    "half of a surrogate pair": b'{"model": "\\ud800"}',
    "half of a surrogate pair in a key": b'{"metadata": {"\\udc00": 1}}',
    "a surrogate as UTF-8": b'{"model": "\xed\xa0\x80"}',
    "a bare NUL": b'{"model": "\x00"}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"model"',
    "cut short": b'{"model": "a"',
    "something after it": b'{"model": "a"} x',
    "white space only": b"  ",
    "a comment": b'{"model": "a" /* no */}',
    "a form": b"model=a",
}

NOT_A_CALLBACK = {
    "an empty object": b"{}",
    "strange keys": b'{"a": 1}',
    "an empty task_id": b'{"task_id": "", "success": true, "output": {"task_id": "", "task_status": "RUNNING"}}',
    "a NUL in the task_id": b'{"task_id": "a\\u0000", "output": {"task_id": "a\\u0000", "task_status": "RUNNING"}}',
    "a number as task_id": b'{"task_id": 7, "output": {"task_id": 7, "task_status": "RUNNING"}}',
    "a huge task_id": b'{"task_id": "%s", "output": {"task_id": "%s", "task_status": "RUNNING"}}'
    % (b"t" * 300, b"t" * 300),
    "a list as output": b'{"output": []}',
    "a number as status": b'{"output": {"task_id": "t", "task_status": 7}}',
}
"""JSON objects that no provider sends."""
