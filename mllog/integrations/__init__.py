"""Front doors: other ways to hand a prediction to the logger. Each gives the same event."""
