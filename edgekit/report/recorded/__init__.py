"""Sentences that were recorded in English, in the language of a page."""
