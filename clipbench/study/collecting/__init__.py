"""Captioned collections into the store, and stored ones looked over."""
