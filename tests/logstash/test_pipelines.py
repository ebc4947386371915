"""What stands in `logstash/`, sentence by sentence."""

from __future__ import annotations

import pytest
from support import logstash_cases, pipelines
from support.logstash_rules import RULES

assert logstash_cases.TAKEN  # its rules are among them once it is imported


@pytest.mark.parametrize("sentence", RULES)
def test_of_the_pipelines_it_holds_that(sentence: str) -> None:
    """Each sentence, of the files as they are."""
    RULES[sentence](pipelines.read(pipelines.texts()))
