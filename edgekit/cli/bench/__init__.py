"""What `bench` and `gate` share: their options, the plan of a run, running it, and its outcome."""
