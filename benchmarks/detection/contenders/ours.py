"""mllog: ``watchers.compare`` on profiles, window by window."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd

import watchers
from benchmarks.detection.contenders import WINDOW, Given, Verdict
from mllog import ModelCard
from watchers import Finding, WindowProfile

MODEL = "benchmark"


class Compare:
    """The public face: a card, the window's profile, and the reference's windows as history."""

    def prepare(self, given: Given) -> None:
        """Make the card and profile the history."""
        self.time = given.time
        self.card = card_of(given, given.training)
        windows = given.reference.groupby(WINDOW, sort=True)
        self.history = [self.profile(part.drop(columns=WINDOW)) for _, part in windows]

    def profile(self, frame: pd.DataFrame) -> WindowProfile:
        """Count a window."""
        return watchers.profile(frame, self.card, time=self.time)

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        profile = self.profile(frame)
        counted = time.process_time()
        findings = watchers.compare(self.card, profile, history=self.history)
        decided = time.process_time()
        return Verdict(
            alerts=[alert_of(finding) for finding in findings if finding.state == "alert"],
            cpu={"count": counted - started, "decide": decided - counted},
        )


class Frames:
    """``watchers.compare(reference, current)`` as somebody calls it who has two frames and nothing else."""

    def prepare(self, given: Given) -> None:
        """Keep the reference: the card is made anew with each call."""
        self.given = given
        self.reference = given.reference.drop(columns=WINDOW)

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        given, started = self.given, time.process_time()
        findings = watchers.compare(
            self.reference, frame, time=given.time, text=given.texts, segments=given.segments, time_zone=given.zone
        )
        alerts = [alert_of(finding) for finding in findings if finding.state == "alert"]
        return Verdict(alerts=alerts, cpu={"judge": time.process_time() - started})


def card_of(given: Given, training: pd.DataFrame) -> ModelCard:
    """The card of a frame."""
    return ModelCard.from_frame(
        training,
        MODEL,
        "1",
        text=given.texts,
        segments=given.segments,
        time=given.time,
        time_zone=given.zone,
    )


def alert_of(finding: Finding) -> tuple[str | None, str | None, str, str]:
    """A finding as a verdict's alert."""
    segment = next(iter(finding.segment.values())) if finding.segment else None
    return finding.feature, segment, finding.check, finding.severity
