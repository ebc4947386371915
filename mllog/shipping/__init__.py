"""Brings spooled events to where they are wanted: at least once, the same bytes, each event accounted for.

``mllog ship FOLDER --to PLACE`` does it for a folder, a logger whose ``sink`` is a server does it for its own spool.
"""

from __future__ import annotations

from mllog.shipping.destinations import open_destination
from mllog.shipping.destinations.base import Check, Destination
from mllog.shipping.shipper import Shipper
from mllog.shipping.status import ShipStatus, inspect

__all__ = ["Check", "Destination", "ShipStatus", "Shipper", "inspect", "open_destination"]
