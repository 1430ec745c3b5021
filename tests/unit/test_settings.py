"""Settings are typed, unknown keys are refused, and the example documents every key with its default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.errors import SettingsError
from infra.settings import Settings, load_settings

EXAMPLE = Path("infra/settings.example.toml")


def test_the_example_holds_every_key_with_its_default() -> None:
    documented = tomllib.loads(EXAMPLE.read_text("utf-8"))
    assert documented == msgspec.to_builtins(Settings())
    assert load_settings(EXAMPLE) == Settings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[worker]\nbatches = 1", "batches"),
        ("[worker]\nbatch = 0", "worker.batch"),
        ("[worker]\nlist_days = 0", "worker.list_days"),
        ("[worker]\nlist_days = 30\nstate_days = 7.5", "worker.state_days 7.5 is less than worker.list_days 30"),
        ("[model]\nweights = {sneeze = 1}", "model.weights"),
        ("[model.weights]\nclick = -1", "model.weights"),
        ('namespace = "a b"', "namespace"),
        ("namespace = ", "TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings(file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings("nowhere.toml")


def test_the_environment_names_a_file_and_arguments_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('namespace = "b"\n[redis]\nprefix = "shop"')
    monkeypatch.setenv("HEADRACE_CONFIG", str(file))
    assert load_settings().namespace == "b"
    given: dict[str, Any] = {"namespace": "c", "home": None}
    assert (load_settings(**given).namespace, load_settings(**given).redis.prefix) == ("c", "shop")


@pytest.mark.parametrize("beside", ['instance = "a"', "session_ms = 6000"])
def test_what_the_newer_group_protocol_does_not_take_is_refused_with_the_reason(tmp_path: Path, beside: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'[worker]\ngroup_protocol = "consumer"\n{beside}\n')
    with pytest.raises(SettingsError, match=r"does not go with worker.group_protocol"):
        load_settings(file)
    file.write_text('[worker]\ngroup_protocol = "consumer"\n')
    with pytest.raises(SettingsError, match=r"does not go with worker.group_protocol"):
        msgspec.structs.replace(load_settings(file).worker, instance="a")


def test_days_may_be_fractions_and_no_days_for_states_mean_for_ever() -> None:
    worker = msgspec.convert({"list_days": 0.5, "state_days": 0}, type(Settings().worker))
    assert (worker.list_s, worker.state_s) == (43_200, 0)
