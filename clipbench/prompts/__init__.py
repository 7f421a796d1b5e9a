"""Prompt templates around captions, and how the scores of several templates become one. Pure."""
