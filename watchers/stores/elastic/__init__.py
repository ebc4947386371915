"""Elasticsearch as the store: for those who outgrow one machine. Needs the extra ``elastic``."""

from __future__ import annotations

from watchers.stores.elastic.store import ElasticsearchStore

__all__ = ["ElasticsearchStore"]
