"""Labels on their way to a labelling tool and back: `calib export` and `calib import`."""
