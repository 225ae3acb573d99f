# A profile's notebooks, each only where something it depends on changed. `make results PROFILE=…` calls this;
# on a cluster: snakemake --profile cluster --config profile=paper data=/data
import sys

from fashionlib.experiments.batch import fingerprints, jobs_of
from fashionlib.experiments.profile import load_profile

PROFILE, DATA, SEEDS = ("" if config.get(key) is None else str(config[key]) for key in ("profile", "data", "seeds"))
RUN = load_profile(PROFILE, data=DATA or None, seeds=SEEDS or None, check=False)
JOBS = {job.key: job for job in jobs_of(RUN)}
CHANGES = fingerprints(PROFILE, DATA, SEEDS)
# what a cluster is asked for; on one machine a notebook has all of it
GPUS, CPUS = int(config.get("gpus", 1)), int(config.get("cpus", 16))
HOURS, MEMORY = int(config.get("hours", 48)), int(config.get("memory_gb", 32))


rule all:
    input:
        [job.stamp(RUN.name) for job in JOBS.values()],


for name, job in JOBS.items():

    rule:
        name:
            name.replace("-", "_").replace("@", "_on_")
        input:
            [JOBS[other].stamp(RUN.name) for other in job.after],
        output:
            touch(job.stamp(RUN.name)),
        params:
            job=name,
            changes_with=CHANGES[name],
        threads: workflow.resource_settings.cores or CPUS  # each notebook uses all of them
        resources:
            gpu=0 if job.notebook == "data" else GPUS if job.notebook == "train" else min(GPUS, 1),
            runtime=60 * HOURS if job.notebook == "train" else 240,  # minutes
            mem_mb=1000 * MEMORY,
        shell:
            "{sys.executable:q} -m fashionlib.cli results {PROFILE:q} --data={DATA:q} --seeds={SEEDS:q} --only {params.job} 2>&1"
