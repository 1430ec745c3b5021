"""What an examination finds: a subject, whether it is well, and what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well a subject is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis.

    Parameters
    ----------
    subject : str
        What was looked at.
    state : State
    text : str
        What was found, with the value.
    remedy : str
        What to do; empty where all is well.
    """

    subject: str
    state: State
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(subject, State.OK, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """Return a finding that may become a problem."""
    return Finding(subject, State.WARNING, text, remedy)


def problem(subject: str, text: str, remedy: str) -> Finding:
    """Return a finding that keeps Headrace from working, or loses data."""
    return Finding(subject, State.PROBLEM, text, remedy)
