"""Score a file of patients, as a nightly job would, and log every row of it.

python score.py train IN.csv            makes model.joblib and card.json
python score.py score IN.csv OUT.csv    writes the predictions and logs them
"""

import sys

import joblib
import pandas as pd
from sklearn.linear_model import RidgeCV

import mllog

MODEL, TARGET = "diabetes-progression", "progression"


def train(source: str) -> None:
    frame = pd.read_csv(source)
    features = frame.drop(columns=[TARGET, "measured", "patient"])
    model = RidgeCV().fit(features, frame[TARGET])
    joblib.dump(model, "model.joblib")
    card = mllog.ModelCard.from_frame(
        frame.drop(columns="patient"),
        model=MODEL,
        version="1",
        target=TARGET,
        time="measured",
        predictions=model.predict(features),
    )
    card.save("card.json")


def score(source: str, target: str) -> None:
    model = joblib.load("model.joblib")
    with mllog.ModelLogger(MODEL, version="1", card="card.json", sink="events/") as log:
        with log.timed("read") as step:
            frame = pd.read_csv(source)
            step.rows_out = len(frame)
        with log.timed("predict", rows_in=len(frame)) as step:
            predicted = model.predict(frame[model.feature_names_in_])
            step.rows_out = len(predicted)
        log.batch(frame.drop(columns=TARGET, errors="ignore"), outputs=predicted, time="measured", id="patient")
    frame.assign(predicted=predicted).to_csv(target, index=False)


if __name__ == "__main__":
    {"train": train, "score": score}[sys.argv[1]](*sys.argv[2:])
