"""What a logged batch costs beside the same rows logged one by one: ``python -m benchmarks.batch``.

Each library's frame is measured in child processes, once a round with a card and once without; within one, the ways to
log it take turns. Ratios are to the calls for single rows in the same process; the median over rounds is shown.
"""
