"""The broker's jars are found without the network once they are there, and a cut one is never used."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from infra.errors import BrokerError
from infra.jars import KAFKA_VERSION, cache_dir, kafka_jars


@pytest.fixture(autouse=True)
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nothing listens there


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """The only jar of a cache that is complete."""
    path = tmp_path / "maven" / "org" / "example" / "broker.jar"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Broker.class", bytes(5000))
    index = {"org/example/broker.jar": path.stat().st_size}
    (tmp_path / "maven" / f"kafka-{KAFKA_VERSION}.json").write_text(json.dumps(index))
    return path


def test_complete_cache_needs_no_network(tmp_path: Path, jar: Path) -> None:
    assert kafka_jars(tmp_path) == [jar]


def test_cut_jar_is_removed_and_downloaded_again(tmp_path: Path, jar: Path) -> None:
    jar.write_bytes(jar.read_bytes()[:3000])
    with pytest.raises(BrokerError, match="cannot download"):
        kafka_jars(tmp_path)
    assert not jar.exists()


def test_whole_files_of_an_interrupted_download_are_kept(tmp_path: Path, jar: Path) -> None:
    (tmp_path / "maven" / f"kafka-{KAFKA_VERSION}.json").unlink()
    whole, cut = jar.with_name("whole.pom"), jar.with_name("cut.pom")
    whole.write_text("<project><name>broker</name></project><!-- end -->")
    cut.write_text("<project><name>bro")
    with pytest.raises(BrokerError):
        kafka_jars(tmp_path)
    assert (jar.exists(), whole.exists(), cut.exists()) == (True, True, False)


def test_missing_network_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"cannot download Apache Kafka .*connect to the network.*kafka\.bootstrap"):
        kafka_jars(tmp_path)


def test_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "headrace"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "headrace"
