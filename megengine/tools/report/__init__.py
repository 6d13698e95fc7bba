"""``report.html``: one self-contained page about a training run."""
