"""mllog: the machinery of ``watchers run`` over windows that follow each other, each playing an hour."""

from __future__ import annotations

import copy
import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from benchmarks.detection.contenders import Given, Verdict
from benchmarks.detection.contenders.ours import Compare, alert_of
from benchmarks.detection.memory import HOUR, MemoryStore
from watchers import Window, WindowProfile
from watchers.config import Config
from watchers.schedule import run

START = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


class Run(Compare):
    """History is run through once; each sequence then goes on from there, as a scheduler that was stopped does."""

    def prepare(self, given: Given) -> None:
        """Judge the history's hours."""
        super().prepare(given)
        self.first = [self._hour(k, profile) for k, profile in enumerate(self.history)]
        self.store = MemoryStore(self.card, self.first)
        run(self.store, self._end(len(self.first)))

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Windows of one stream, one after the other."""
        started = time.process_time()
        begin = len(self.first)
        fresh = [self._hour(begin + k, self.profile(frame)) for k, frame in enumerate(sequence)]
        counted = time.process_time()
        store = MemoryStore(self.card, [*self.first, *fresh])
        store.kept = copy.deepcopy(self.store.kept)
        report = run(store, self._end(begin + len(fresh)))
        cpu = {"count": counted - started, "decide": time.process_time() - counted}
        ends = [profile.window.end for profile in fresh]
        verdicts = [Verdict() for _ in fresh]
        verdicts[0].cpu = cpu
        for finding in report.findings:
            verdicts[ends.index(finding.window.end)].alerts.append(alert_of(finding))
        for event in report.events:
            if event.kind in {"opened", "reopened"}:
                verdicts[ends.index(event.at)].pages.append(list(event.data.get("features", [])))
        return verdicts

    @staticmethod
    def _hour(number: int, profile: WindowProfile) -> WindowProfile:
        return replace(profile, window=Window(START + number * HOUR, START + (number + 1) * HOUR))

    @staticmethod
    def _end(hours: int) -> dt.datetime:
        return START + hours * HOUR + Config().lateness
