"""Telling people: messages of incidents, where they go, and their delivery through Apprise."""

from __future__ import annotations

from watchers.notify.delivery import AppriseNotifier, Failure, Notifier, may_be_told, notify, wants
from watchers.notify.message import Message, compose
from watchers.notify.routing import Route, routes

__all__ = [
    "AppriseNotifier",
    "Failure",
    "Message",
    "Notifier",
    "Route",
    "compose",
    "may_be_told",
    "notify",
    "routes",
    "wants",
]
