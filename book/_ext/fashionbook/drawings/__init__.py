"""Figures that only the book shows: diagrams of the method, and pictures out of the published run."""
