"""No regression beyond noise: results of a change against those of a baseline, figure by figure."""
