import pytest

from postback import durations


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("500ms", 500),
        ("15s", 15_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("30d", 2_592_000_000),
        ("1.5s", 1_500),
        ("0.1s", 100),
        ("0", 0),
        ("0s", 0),
        (" 90 s ", 90_000),
    ],
)
def test_parse(text: str, ms: int) -> None:
    assert durations.parse(text) == ms


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 weeks", "5S", "1e3s", ".5s", "5s5s", "inf", "٥s", "9" * 5000])
def test_parse_says_what_it_accepts(text: str) -> None:
    with pytest.raises(ValueError, match="500ms, 15s, 5m, 2h or 30d"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (500, "500ms"),
        (1_500, "1500ms"),
        (15_000, "15s"),
        (90_000, "90s"),
        (300_000, "5m"),
        (7_200_000, "2h"),
        (86_400_000, "24h"),
        (2_592_000_000, "30d"),
    ],
)
def test_render(ms: int, text: str) -> None:
    assert durations.render(ms) == text
    assert durations.parse(text) == ms
