"""How accurate engines are on a set: the truth, predictions, figures, and the gate that they must pass."""
