"""Serve the model. Lines that say "added" are all that logging every prediction takes."""

from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI

import mllog.integrations.asgi  # added

model = joblib.load("model.joblib")
log = mllog.ModelLogger("wine", version="1", card="card.json", sink="events/")  # added

app = FastAPI()
app.add_middleware(mllog.integrations.asgi.MllogMiddleware, log=log, paths=["/predict"])  # added


@app.post("/predict")
def predict(wine: dict[str, float]) -> dict[str, Any]:
    shares = model.predict_proba(pd.DataFrame([wine], columns=model.feature_names_in_))[0]
    best = shares.argmax()
    return {"label": model.classes_[best], "score": float(shares[best])}
