"""Sort support messages into queues, and watch the words that come.

python triage.py train                  makes model.joblib and card.json of tickets.csv
python triage.py ask MESSAGE            prints the queue and the id of the prediction
python triage.py correct ID QUEUE       a person says which queue was right
"""

import sys
import uuid
from pathlib import Path

import joblib
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mllog

MODEL = "triage"


def train() -> None:
    tickets = pd.read_csv(Path(__file__).with_name("tickets.csv"))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0)).fit(tickets["message"], tickets["queue"])
    joblib.dump(model, "model.joblib")
    mllog.ModelCard.from_frame(tickets, model=MODEL, version="1", target="queue", text=["message"]).save("card.json")


def ask(message: str) -> None:
    model = joblib.load("model.joblib")
    name = str(uuid.uuid4())
    with mllog.ModelLogger(MODEL, version="1", card="card.json", sink="events/") as log:

        @log.monitor(id="name")
        def triage(message: str, name: str) -> dict[str, object]:  # noqa: ARG001 - the decorator reads it
            shares = dict(zip(model.classes_, model.predict_proba([message])[0].tolist(), strict=True))
            best = max(shares, key=shares.__getitem__)
            return {"label": best, "score": shares[best], "scores": shares}

        print(triage(message, name)["label"], name)


def correct(name: str, queue: str) -> None:
    with mllog.ModelLogger(MODEL, version="1", card="card.json", sink="events/") as log:
        log.label(name, queue, annotator="support")


if __name__ == "__main__":
    {"train": train, "ask": ask, "correct": correct}[sys.argv[1]](*sys.argv[2:])
