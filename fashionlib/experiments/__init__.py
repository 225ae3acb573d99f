"""The paper's experiments, one file each: train or load the profile's methods, measure, keep scores, write the ledger."""
