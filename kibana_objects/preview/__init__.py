"""Dashboards as pages that anybody can open: drawn from the saved objects and the answers of a real cluster."""

from kibana_objects.preview.asking import Answered, Elasticsearch, ask
from kibana_objects.preview.page import write_pages

__all__ = ["Answered", "Elasticsearch", "ask", "write_pages"]
