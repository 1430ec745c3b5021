"""The root of all errors that a user can mend; each text names the value and the remedy."""

from __future__ import annotations


class HeadraceError(Exception):
    """Something outside the program is not as it must be."""


class SettingsError(HeadraceError, ValueError):
    """A settings file that cannot be used."""


class BrokerError(HeadraceError):
    """Kafka cannot be started, reached or used as it stands."""


class StoreError(HeadraceError):
    """Redis cannot be started, reached or used as it stands."""
