"""JSON Schemas of the events, generated from their types, so that other programs can check what they send.

``python -m contracts.schemas FOLDER`` writes one file per topic. A schema says nothing of what a message is compared
with: its key, and the record's own time stamp. Lengths of ids are counted in characters here and in bytes by
:func:`contracts.events.decode`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.events import KINDS, MAX_ID_BYTES, TYPES, UNDO

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID: dict[str, Any] = {
    "anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES}, {"type": "integer"}],
    "description": f"Not empty, at most {MAX_ID_BYTES} bytes of UTF-8; an integer becomes a string.",
}
_TIME = {"minimum": 0, "description": "Milliseconds since the epoch; absent = the record's own time stamp."}
# What ``decode`` demands beyond the types.
_LIMITS: dict[str, dict[str, Any]] = {
    "user": _ID,
    "item": _ID,
    "id": {**_ID, "anyOf": [*_ID["anyOf"], {"type": "null"}]},
    "type": {"enum": [*TYPES, UNDO]},
    "rating": {"minimum": -1_000_000, "maximum": 1_000_000},
    "time": _TIME,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return topic → JSON Schema of its messages' values."""
    return {topic: _schema(kind) for topic, kind in KINDS.items()}


def _schema(kind: type) -> dict[str, Any]:
    (_,), definitions = msgspec.json.schema_components([kind])
    schema = {"$schema": DIALECT, **definitions[kind.__name__]}
    for field, limits in _LIMITS.items():
        if field in schema["properties"]:
            schema["properties"][field] |= limits
    if "items" in schema["properties"]:
        schema["properties"]["items"]["items"] = _ID
    return schema


def main() -> None:
    """Write the schemas into the folder that the command line names."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m contracts.schemas FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for topic, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        (folder / f"{topic}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
