"""Traffic for half an hour into a secured node that is restarted under it: what was accepted is there, once."""
