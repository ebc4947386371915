"""Whether faults are found, and how often nothing is called one: ``python -m benchmarks.detection``.

Every contender is given the same windows: a reference cut into windows of the judged one's length, and windows to
judge, clean ones and such with a fault of stated size. Each runs in a child process; peers run in virtual environments
of their own, since their pins exclude each other. Shares are shown with their counts and Wilson intervals.
"""
