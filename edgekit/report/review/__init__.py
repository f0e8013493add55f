"""Three levels: figures, what they are worth by the user's own prices, what the team gains."""
