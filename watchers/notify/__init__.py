"""Telling people: messages of incidents, where they go, and their delivery through Apprise."""

from __future__ import annotations

from watchers.notify.delivery import AppriseNotifier, Failure, Notifier, notify
from watchers.notify.message import Message, compose
from watchers.notify.routing import Route, routes

__all__ = ["AppriseNotifier", "Failure", "Message", "Notifier", "Route", "compose", "notify", "routes"]
