"""Saved objects of Kibana, built from the table of event fields.

So far the data views; dashboards, searches and rules build on them.
"""

from kibana_objects.data_views import data_views

__all__ = ["data_views"]
