"""Loggers that are made by a configuration."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

import mllog
from mllog.integrations.stdlib import EventHandler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def events(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in folder.glob("*/*.ndjson") for line in path.read_bytes().splitlines()]
    return [event for event in map(orjson.loads, lines) if event["event"]["action"] == "predict"]


@pytest.fixture
def configured() -> Iterator[logging.Logger]:
    """A logger of the standard library by a name of its own, without handlers afterwards."""
    logger = logging.getLogger("mllog-test-stdlib")
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def test_a_handler_of_dict_config(tmp_path: Path, configured: logging.Logger) -> None:
    """It makes its own logger of the keys beside its class, and closes it when it is closed."""
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "model": {
                "()": "mllog.integrations.stdlib.EventHandler",
                "level": "INFO",
                "model": "flight-delay",
                "version": "7",
                "sink": str(tmp_path),
            }
        },
        "loggers": {configured.name: {"handlers": ["model"], "level": "DEBUG"}},
    }
    logging.config.dictConfig(json.loads(json.dumps(configuration)))
    configured.info("predicted", extra={"inputs": {"a": 1.0}, "output": 0.5})
    configured.debug("not at this level", extra={"inputs": {"a": 1.0}})
    configured.info("an ordinary line")
    (handler,) = configured.handlers
    assert isinstance(handler, EventHandler)
    handler.close()
    (event,) = events(tmp_path)
    assert (event["ml"]["model"]["name"], event["ml"]["model"]["version"]) == ("flight-delay", "7")


def test_a_formatter_of_dict_config(tmp_path: Path, configured: logging.Logger) -> None:
    """Its events go where the handler's lines go, in the order of the calls."""
    stream = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "event": {
                    "()": "mllog.integrations.stdlib.EventFormatter",
                    "model": "flight-delay",
                    "version": "7",
                    "sink": str(tmp_path),
                }
            },
            "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "event", "stream": stream}},
            "loggers": {configured.name: {"handlers": ["lines"], "level": "DEBUG"}},
        }
    )
    configured.info("first")
    configured.info("second", extra={"inputs": {"a": 1.0}, "output": 0.5})
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "first"
    assert second["ml"]["inputs"] == {"number": {"a": 1.0}}
    assert events(tmp_path) == []


def test_a_handler_that_was_given_a_logger_leaves_it_open(tmp_path: Path) -> None:
    """Whoever made a logger closes it."""
    with mllog.ModelLogger("m", version="1", sink=tmp_path) as log:
        handler = EventHandler(log)
        handler.close()
        log.prediction({"a": 1.0})
        log.flush()
        assert len(events(tmp_path)) == 1


def test_structlog_without_a_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call and MLLOG_* variables are enough; the logger that was made is given back."""
    for name, value in {"MODEL": "flight-delay", "VERSION": "7", "SINK": str(tmp_path)}.items():
        monkeypatch.setenv(f"MLLOG_{name}", value)
    try:
        log = mllog.configure_structlog()
        structlog.get_logger().info("predicted", inputs={"a": 1.0}, output=0.5)
        log.close()
    finally:
        structlog.reset_defaults()
    (event,) = events(tmp_path)
    assert (event["ml"]["model"]["name"], event["ml"]["model"]["version"]) == ("flight-delay", "7")
    assert event["message"] == "predicted"


@pytest.mark.parametrize(
    ("variables", "field"), [({}, "model"), ({"MLLOG_MODEL": "m"}, "version"), ({"MLLOG_VERSION": "1"}, "model")]
)
@pytest.mark.parametrize("make", [mllog.configure_structlog, EventHandler])
def test_what_is_missing_is_named(
    make: Any, variables: dict[str, str], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a logger, model and version have to come from somewhere; nothing is configured else."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(mllog.SettingError, match=f"{field}=, or set MLLOG_{field.upper()}") as caught:
        make()
    assert caught.value.field == field
    assert not structlog.is_configured()


def test_a_logger_and_options_contradict_each_other(tmp_path: Path) -> None:
    """A logger that is made has its own settings."""
    with (
        mllog.ModelLogger("m", version="1", sink=tmp_path) as log,
        pytest.raises(mllog.SettingError, match="log and version are both given"),
    ):
        mllog.configure_structlog(log, version="2")
