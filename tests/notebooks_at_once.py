"""Every notebook of a profile in one process: its cells, in the batch's order, without a kernel for each.

python tests/notebooks_at_once.py PROFILE DATA
"""

import sys

import matplotlib.pyplot as plt
import nbformat

from fashionlib.experiments.batch import jobs_of
from fashionlib.experiments.profile import load_profile, project_root


def main(profile, data):
    for job in jobs_of(load_profile(profile, data=data)):
        print(job.key, flush=True)
        run(job.notebook, {"profile": job.of(profile), "data": data, **job.parameters})


def run(notebook, parameters):
    """The cells with these parameters, as papermill sets them."""
    names = {}
    for cell in nbformat.read(project_root() / "notebooks" / f"{notebook}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names.update(parameters)
    plt.close("all")


if __name__ == "__main__":
    main(*sys.argv[1:])
