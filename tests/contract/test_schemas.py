"""The JSON Schemas in the documentation are those of the events, and accept what ``decode`` accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden
import jsonschema
import pytest

from contracts.events import KINDS, InvalidEvent, decode, encode
from contracts.schemas import schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
TOPICS = {kind: topic for topic, kind in KINDS.items()}


@pytest.mark.parametrize("topic", KINDS)
def test_the_documented_schema_is_the_generated_one(topic: str) -> None:
    documented = json.loads((FOLDER / f"{topic}.json").read_text(encoding="utf-8"))
    assert documented == schemas()[topic], "run `python -m contracts.schemas docs/schemas`"


def test_no_other_schemas_are_documented() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{topic}.json" for topic in KINDS}


@pytest.mark.parametrize("schema", schemas().values(), ids=schemas())
def test_schemas_are_schemas(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", golden.EVENTS)
def test_golden_events_are_valid(name: str) -> None:
    event = golden.EVENTS[name]
    jsonschema.validate(json.loads(encode(event)), schemas()[TOPICS[type(event)]])


VALID = [
    ("clicks", {"user": 7, "item": "i"}),
    ("clicks", {"user": "u", "item": "i", "time": None, "other": [1]}),
    ("ratings", {"user": "u", "item": "i", "rating": 5, "id": None}),
    ("impressions", {"user": "u", "items": [1, "b"], "list": "1.2"}),
    ("items", {"item": "i", "vector": None}),
    ("users", {"user": "u", "attributes": {"a": True}}),
]
INVALID = [
    ("clicks", []),
    ("clicks", {"user": "u"}),
    ("clicks", {"user": "u", "item": ""}),
    ("clicks", {"user": "u", "item": "x" * 257}),
    ("clicks", {"user": "u", "item": 1.5}),
    ("clicks", {"user": "u", "item": "i", "id": ""}),
    ("clicks", {"user": "u", "item": "i", "time": -1}),
    ("clicks", {"user": "u", "item": "i", "time": "1"}),
    ("clicks", {"user": "u", "item": "i", "type": "buy"}),
    ("clicks", {"user": "u", "item": "i", "context": []}),
    ("ratings", {"user": "u", "item": "i"}),
    ("ratings", {"user": "u", "item": "i", "rating": 1e7}),
    ("impressions", {"user": "u", "items": ["a", ""], "list": "1.2"}),
    ("impressions", {"user": "u", "items": ["a"]}),
    ("items", {"item": None}),
    ("items", {"item": "i", "categories": "a"}),
    ("users", {"user": "u", "attributes": {"a": []}}),
]


def _decoded(topic: str, value: Any) -> None:
    key = str(value.get("item" if topic == "items" else "user", "")) if isinstance(value, dict) else ""
    decode(KINDS[topic], json.dumps(value).encode(), key.encode(), golden.TIME)


@pytest.mark.parametrize(("topic", "value"), VALID)
def test_schema_and_decoder_accept_alike(topic: str, value: Any) -> None:
    jsonschema.validate(value, schemas()[topic])
    _decoded(topic, value)


@pytest.mark.parametrize(("topic", "value"), INVALID)
def test_schema_and_decoder_refuse_alike(topic: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schemas()[topic])
    with pytest.raises(InvalidEvent):
        _decoded(topic, value)
