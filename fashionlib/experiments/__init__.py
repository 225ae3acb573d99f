"""The paper's experiments, one file each: train or load the methods, measure, keep scores, write the ledger."""
