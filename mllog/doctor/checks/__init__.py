"""What the doctor of this package looks at: one file a check, each with an object ``check``."""
