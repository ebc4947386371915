"""Text: words that training never had."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Cloud, Dashboard, Documents, Figure, Measure, Row, Table, Terms

_TEXTS = f"{parts.UNSEEN} and feature.kind : text"
_WORDS = f"kind : token and {parts.HOURS}"

dashboard: Final = Dashboard(
    id="mllog-text",
    title="[mllog] Text",
    story="When a vocabulary changes, the rate of unseen words rises, and the new words are listed with their hour.",
    place=4,
    controls=parts.controls(parts.WINDOWS, ("Feature", "feature.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Unseen words, worst hour",
                    view=parts.WINDOWS,
                    where=_TEXTS,
                    measure=Measure("unseen", "max", "unseen.rate", format="percent"),
                    steps=((0, "good"), (0.02, "warning"), (0.1, "bad")),
                    width=16,
                ),
                Figure(
                    title="Unseen words",
                    view=parts.WINDOWS,
                    where=_TEXTS,
                    measure=Measure("unseen", "average", "unseen.rate", format="percent"),
                    width=16,
                ),
                Figure(
                    title="How many they are",
                    view=parts.WINDOWS,
                    where=_TEXTS,
                    measure=Measure("words", "sum", "unseen.count", format="whole"),
                    width=16,
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Rate of unseen words by text",
                    view=parts.WINDOWS,
                    where=_TEXTS,
                    width=48,
                    measures=(Measure("unseen", "average", "unseen.rate", format="percent"),),
                    split=parts.BY_FEATURE,
                    drill=("mllog-model",),
                ),
            ),
        ),
        Row(
            14,
            (
                Cloud(
                    title="The new words: the 20 most frequent of each hour",
                    view=parts.WINDOWS,
                    where=_WORDS,
                    tags=Terms("word", "token.value", 40),
                    measure=Measure("events", "sum", "token.count", format="whole"),
                ),
                Table(
                    title="Since when",
                    view=parts.WINDOWS,
                    where=_WORDS,
                    rows=(Terms("word", "token.value", 50),),
                    measures=(
                        Measure("events", "sum", "token.count", format="whole"),
                        Measure("first", "min", "@timestamp", format="date"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Requests with such words, by word",
                    view=parts.PREDICTIONS,
                    width=48,
                    measures=(Measure("predictions", format="whole"),),
                    split=Terms("word", "ml.unseen_tokens", 15),
                    series="bar_stacked",
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions with unseen words", search="mllog-search-words"),)),
    ),
)
