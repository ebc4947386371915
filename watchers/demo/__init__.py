"""The demonstration: real flights through a real model, with faults planted in the stream.

The data half stands in four modules that need neither the logger nor the watchers:

- `flights`: the flights of New York, January to April 2013, with weather and aircraft.
- `remarks`: the dispatcher's notes that the data lacks, written from weather and delay.
- `model`: the model that serves, and the one that serves by mistake.
- `faults`: what goes wrong upstream, when, and the stream that results; `replay` hands it out.

Nothing is imported here, because pandas and scikit-learn take seconds to load.
"""
