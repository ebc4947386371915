"""Dashboards as pages that anybody can open: drawn from the saved objects and the answers of a real store."""

from kibana_objects.preview.asking import Answered, Question, Source, ask, questions
from kibana_objects.preview.page import Page, write_pages
from kibana_objects.preview.places import open_source

__all__ = ["Answered", "Page", "Question", "Source", "ask", "open_source", "questions", "write_pages"]
