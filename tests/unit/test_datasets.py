"""Every known format gives the same events in the order of time, and says what it could not use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from contracts.events import Click, Impression, Item, Rating, User
from evaluation.datasets import DatasetError, Dropped, open_dataset
from evaluation.jsonlines import MAX_LINE

# user, item, rating, seconds: the second and the third happen at once, and the fourth is the first.
RATINGS = [(1, 10, 5, 200), (2, 20, 3, 300), (1, 20, 4, 300), (3, 10, 1, 100)]
IN_TIME_ORDER = [
    Rating("3", "10", 1.0, 100_000),
    Rating("1", "10", 5.0, 200_000),
    Rating("2", "20", 3.0, 300_000),
    Rating("1", "20", 4.0, 300_000),
]
FILMS = [
    Item("10", title="Misérables, Les (1995)", categories=["Drama", "Musical"]),
    Item("20", title="unknown", categories=[]),
]


def ml_100k(folder: Path) -> None:
    drama_and_musical = "|".join("1" if i in (8, 12) else "0" for i in range(19))
    unknown = "|".join("1" if i == 0 else "0" for i in range(19))
    films = f"10|Misérables, Les (1995)|01-Jan-1995||url|{drama_and_musical}\n20|unknown||||{unknown}\n"
    write(folder / "u.data", "".join("\t".join(map(str, row)) + "\n" for row in RATINGS))
    write(folder / "u.item", films, "latin-1")


def ml_1m(folder: Path) -> None:
    write(folder / "ratings.dat", "".join("::".join(map(str, row)) + "\n" for row in RATINGS))
    write(folder / "movies.dat", "10::Misérables, Les (1995)::Drama|Musical\n20::unknown::\n", "latin-1")


def ml_latest(folder: Path) -> None:
    rows = "".join(",".join(map(str, row)) + "\r\n" for row in RATINGS)
    write(folder / "ratings.csv", f"userId,movieId,rating,timestamp\r\n{rows}")
    films = 'movieId,title,genres\r\n10,"Misérables, Les (1995)",Drama|Musical\r\n20,unknown,(no genres listed)\r\n'
    write(folder / "movies.csv", films)


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_bytes(text.encode(encoding))


def compress(path: Path) -> None:
    path.with_name(f"{path.name}.zst").write_bytes(zstandard.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("make", [ml_100k, ml_1m, ml_latest])
def test_every_movielens_format_is_recognised_and_read_the_same(
    make: Callable[[Path], None], compressed: bool, tmp_path: Path
) -> None:
    make(tmp_path)
    if compressed:
        for path in list(tmp_path.iterdir()):
            compress(path)
    dataset = open_dataset(tmp_path)
    assert list(dataset.events()) == IN_TIME_ORDER
    assert list(dataset.items()) == FILMS
    assert (dataset.name, dataset.size, len(dataset.files)) == (tmp_path.name, 4, 2)


def test_equal_times_keep_the_order_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "u.data", "".join(f"{user}\t1\t3\t{user // 500}\n" for user in range(2000)))
    events = [event for event in open_dataset(tmp_path).events() if isinstance(event, Rating)]
    assert [event.user for event in events] == [str(user) for user in range(2000)]


def test_the_file_of_ratings_stands_for_its_folder(tmp_path: Path) -> None:
    ml_1m(tmp_path)
    compress(tmp_path / "ratings.dat")
    dataset = open_dataset(tmp_path / "ratings.dat.zst")
    assert list(dataset.events()) == IN_TIME_ORDER
    assert list(dataset.items()) == FILMS


def test_ratings_without_films_are_a_data_set(tmp_path: Path) -> None:
    ml_100k(tmp_path)
    (tmp_path / "u.item").unlink()
    assert list(open_dataset(tmp_path).items()) == []


def test_bad_rows_among_ratings_are_dropped_with_their_line_and_no_other(tmp_path: Path) -> None:
    lines = [f"{user}::1::3::{user}" for user in range(1000)]
    bad = {17: "a::1::3::5", 400: "1::2::3", 401: "1::2::3::4::5", 998: "1::2::three::4"}
    for line, text in bad.items():
        lines[line - 1] = text
    lines[500] = ""
    write(tmp_path / "ratings.dat", "\n".join(lines) + "\n")
    rows = list(open_dataset(tmp_path).events())
    assert {row.line: row.text for row in rows if isinstance(row, Dropped)} == bad
    assert {row.reason for row in rows if isinstance(row, Dropped)} == {"malformed"}
    assert sum(isinstance(row, Rating) for row in rows) == 1000 - len(bad) - 1


def test_bad_rows_below_a_header_are_counted_from_the_first_line_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,4\n1,2,x,4\n")
    assert [row.line for row in open_dataset(tmp_path).events() if isinstance(row, Dropped)] == [3]


def test_fields_say_which_event_a_line_is(tmp_path: Path) -> None:
    lines = [
        '{"user":"u","item":"i"}',
        '{"user":"u","item":"i","rating":3}',
        '{"user":"u","items":["i"],"list":"1.2"}',
        '{"item":"i","title":"t","unknown field":1}',
        '{"user":"u"}',
        '{"user":1,"item":2,"time":5}',
    ]
    write(tmp_path / "events", "\n".join(lines))
    dataset = open_dataset(tmp_path / "events")
    assert list(dataset.events()) == [
        Click("u", "i"),
        Rating("u", "i", 3.0),
        Impression("u", ["i"], "1.2"),
        Item("i", title="t"),
        User("u"),
        Click("1", "2", time=5),
    ]
    assert (dataset.size, dataset.files, list(dataset.items())) == (6, (tmp_path / "events",), [])


def test_unusable_lines_are_dropped_in_their_place(tmp_path: Path) -> None:
    bad = ['{"user":', "[1]", "{}", '{"user":"u","item":null}', '{"user":"\xff"}', "", '{"rating":1}', "x" * 300]
    write(tmp_path / "events", '{"user":"u","item":"i"}\n' + "\n".join(bad) + '\n{"user":"u"}\n', "latin-1")
    rows = list(open_dataset(tmp_path / "events").events())
    assert (rows[0], rows[-1]) == (Click("u", "i"), User("u"))
    dropped = [row for row in rows if isinstance(row, Dropped)]
    assert [row.reason for row in dropped] == [
        "malformed",
        "invalid",
        "invalid",
        "invalid",
        "malformed",
        "blank",
        "invalid",
        "malformed",
    ]
    assert [row.line for row in dropped] == list(range(2, 10))
    assert dropped[-1].text == "x" * 120
    assert all(row.detail for row in dropped)


def test_a_line_without_end_is_one_dropped_row(tmp_path: Path) -> None:
    write(tmp_path / "events", "[" * (3 * MAX_LINE) + '\n{"user":"u"}\n')
    rows = list(open_dataset(tmp_path / "events").events())
    assert [getattr(row, "line", None) for row in rows] == [1, None]
    assert rows[1] == User("u")


def test_compressed_lines_may_stand_in_several_frames(tmp_path: Path) -> None:
    frames = zstandard.compress(b'{"user":"a"}\n') + zstandard.compress(b'{"user":"b"}\n')
    (tmp_path / "events").write_bytes(frames)
    assert list(open_dataset(tmp_path / "events").events()) == [User("a"), User("b")]


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input_is_read_as_lines(compressed: bool) -> None:
    lines = b'{"user":"a"}\n{"item":"b"}'
    program = "from evaluation.datasets import open_dataset; d = open_dataset('-'); print(*d.events(), d.size, d.files)"
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        input=zstandard.compress(lines) if compressed else lines,
        capture_output=True,
        check=True,
    )
    assert outcome.stdout.decode().strip() == f"{User('a')} {Item('b')} None ()"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("absent", None, "does not exist"),
        ("events", b"PK\x03\x04rest of a zip file", "unpack it"),
        ("events", zstandard.compress(b'{"user":"a"}\n' * 1000)[:-20] + b"\0" * 20, "cannot read"),
        ("folder/other.csv", b"a,b\n", "must be MovieLens"),
        ("folder/ratings.csv", b"user,film,stars\n1,2,3\n", "user,film,stars"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_remedy(
    name: str, content: bytes | None, word: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=word):
        list(open_dataset(path.parent if name.startswith("folder") else path).events())
