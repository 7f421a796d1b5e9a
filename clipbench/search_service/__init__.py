"""The search service: an API and a page around one gallery and one model. Knows HTTP; the engine decides what is found."""
