"""Train a model of wines and keep it; one line more makes its card."""

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

import mllog  # added

wines = load_wine(as_frame=True)
frame = wines.frame.assign(target=wines.target_names[wines.target])
model = RandomForestClassifier(50, random_state=0).fit(frame.drop(columns="target"), frame["target"])
joblib.dump(model, "model.joblib")
mllog.ModelCard.from_frame(frame, model="wine", version="1", target="target").save("card.json")  # added
