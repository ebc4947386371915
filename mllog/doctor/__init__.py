"""``mllog doctor``: is everything wired? Looks and tells; changes nothing.

A check is one file with one object (:class:`mllog.doctor.base.Check`). Those of this package stand in
:mod:`mllog.doctor.checks`; other packages bring theirs under the entry point group ``mllog.doctor``.
"""

from __future__ import annotations

from mllog.doctor.base import Check, Diagnosis, State, Subject
from mllog.doctor.examination import GROUP, examine

__all__ = ["GROUP", "Check", "Diagnosis", "State", "Subject", "examine"]
