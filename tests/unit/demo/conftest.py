"""The flights and the models, loaded once for all tests of the demonstration."""

import pytest

from watchers.demo import flights, model


@pytest.fixture(scope="session")
def frame():
    """All flights; tests must not change them."""
    return flights.load()


@pytest.fixture(scope="session")
def served(frame):
    """The flights after training."""
    return flights.serving(frame).reset_index(drop=True)


@pytest.fixture(scope="session")
def models(frame):
    """Both models, trained on January."""
    return model.train(flights.training(frame))
