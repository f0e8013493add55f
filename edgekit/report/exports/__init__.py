"""Folders for other servers, as text: a Triton model repository, a DeepStream configuration, a release archive."""
