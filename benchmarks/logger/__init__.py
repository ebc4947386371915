"""What one logged prediction costs, and whether it comes out right: ``python -m benchmarks.logger``.

Every contender runs in a child process of its own, once a round, and rounds go round-robin through all of them, so that
what else the machine does hits all alike. The floor is also run in each child, a moment before and after each phase:
ratios are to that, and the median over rounds is shown.
"""
