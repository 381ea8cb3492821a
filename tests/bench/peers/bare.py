"""The floor: Flask answers and does nothing else."""

from flask import Flask

app = Flask("bare", static_folder=None)


@app.post("/webhooks/sarbacane/<token>")
def event(token: str) -> tuple[str, int]:
    return "", 204
