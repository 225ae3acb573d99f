"""The paper's experiments on a profile's data: what the notebooks call."""
