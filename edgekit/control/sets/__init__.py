"""Sets of pictures, for calibrating and for measuring: found, made, checked, chosen, described."""
