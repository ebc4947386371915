"""The scheduled jobs: count what a model saw, compare with what it usually sees, say which feature broke."""

from watchers.compare import compare, profile
from watchers.drift import drift
from watchers.finding import Effect, Finding, Window
from watchers.profile import WindowProfile

__all__ = ["Effect", "Finding", "Window", "WindowProfile", "compare", "drift", "profile"]
