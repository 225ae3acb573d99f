# A profile's notebooks, each only where something it depends on changed. `make results PROFILE=…` calls this;
# on a cluster: snakemake --executor slurm --jobs 8 --config profile=paper data=/data
import sys

from fashionlib.batch import fingerprint, jobs_of, stamp
from fashionlib.profiles import load_profile

PROFILE, DATA, SEEDS = ("" if config.get(key) is None else str(config[key]) for key in ("profile", "data", "seeds"))
RUN = load_profile(PROFILE, data=DATA or None, seeds=SEEDS or None)
JOBS = {job.name: job for job in jobs_of(RUN)}


rule all:
    input:
        [stamp(RUN.name, name) for name in JOBS],


for name, job in JOBS.items():

    rule:
        name:
            name.replace("-", "_")
        input:
            [stamp(RUN.name, other) for other in job.after],
        output:
            touch(stamp(RUN.name, name)),
        params:
            job=name,
            changes_with=fingerprint(PROFILE, DATA, SEEDS, job),
        threads: workflow.cores  # each notebook uses all of them
        shell:
            "{sys.executable} -m fashionlib.batch {PROFILE:q} --data={DATA:q} --seeds={SEEDS:q} --only {params.job} 2>&1"
