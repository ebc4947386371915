"""The models are real, their scores spread out and hold still."""

import numpy as np
import pytest

from watchers.demo import flights, model


def test_scores_are_dispersed_and_mean_something(served, models):
    """Scores cover a good part of [0, 1], and late flights have the higher ones."""
    scores = model.score(models.right, served)
    assert ((scores >= 0) & (scores <= 1)).all()
    low, high = np.quantile(scores, [0.05, 0.95])
    assert low < 0.12
    assert high > 0.4
    arrived = served["late"].notna().to_numpy()
    late = served.loc[arrived, "late"].to_numpy(dtype=bool)
    assert scores[arrived][late].mean() > scores[arrived][~late].mean() + 0.03


def test_scores_hold_still_on_calm_days(served, models):
    """On days without storms the mean score stays near the base rate."""
    scored = served.assign(score=model.score(models.right, served))
    daily = scored.groupby(flights.local_days(served))["score"].mean()
    daily = daily.drop(list(flights.storm_days(served)))
    assert daily.mean() == pytest.approx(models.right.threshold, abs=0.02)
    assert daily.std() < 0.035


def test_the_wrong_model_scores_otherwise(served, models):
    """The other model's scores are a third as high."""
    right, wrong = model.score(models.right, served), model.score(models.wrong, served)
    assert wrong.mean() < right.mean() / 2
    assert models.right.threshold == pytest.approx(0.217, abs=0.001)


@pytest.mark.parametrize("name", model.INPUTS)
def test_survives_any_feature_missing(served, models, name):
    """A feature that is gone, or null everywhere, gives scores all the same."""
    some = served.iloc[:200]
    for hurt in (some.drop(columns=name), some.assign(**{name: None})):
        scores = model.score(models.right, hurt)
        assert np.isfinite(scores).all()
        assert len(scores) == 200


def test_survives_unseen_categories_and_no_rows(served, models):
    """Codes that training never had, and empty batches, are no error."""
    some = served.iloc[:50]
    assert np.isfinite(model.score(models.right, some.assign(carrier="ua", engine="Warp"))).all()
    assert model.score(models.right, some.iloc[:0]).shape == (0,)


def test_training_is_deterministic(frame, served, models):
    """Training twice gives the same scores."""
    again = model.train(flights.training(frame))
    some = served.iloc[:1000]
    np.testing.assert_allclose(model.score(again.right, some), model.score(models.right, some))
