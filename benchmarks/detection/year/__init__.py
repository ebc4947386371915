"""A simulated year: hourly counts of one healthy model, through the machinery that ``watchers run`` uses.

Nothing is ever broken, so each page is a false one. What users feel is pages per model and month.
"""
