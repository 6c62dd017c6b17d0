"""The endpoint a user would write in an afternoon: Flask, open_clip, a fitted classifier.

What `latency.py` compares with; run it with `gunicorn benchmarks.naive:app`.
"""

from __future__ import annotations

import numpy as np
import torch
from flask import Flask, Response, jsonify, request
from PIL import Image
from sklearn.linear_model import LogisticRegression

from embeddings.clip import import_open_clip

open_clip = import_open_clip()  # plain `import open_clip`, where torchvision fits torch
app = Flask(__name__)
model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
model.eval()
rng = np.random.default_rng(0)
classifier = LogisticRegression().fit(rng.standard_normal((200, 512)), ["ai", "real"] * 100)


@app.get("/health")
def health() -> Response:
    """Answer when the model is there."""
    return jsonify(status="ok")


@app.post("/classify")
def classify() -> Response:
    """Answer for one uploaded picture."""
    image = Image.open(request.files["image"].stream).convert("RGB")
    with torch.no_grad():
        features = model.encode_image(preprocess(image).unsqueeze(0))
        features = features / features.norm(dim=-1, keepdim=True)
    probabilities = classifier.predict_proba(features.numpy())[0]
    best = int(probabilities.argmax())
    return jsonify(prediction=str(classifier.classes_[best]), confidence=float(probabilities[best]))
