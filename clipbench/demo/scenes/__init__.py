"""The drawn scenes: pictures, captions and the truth about both, made from nothing. Knows no store and no model."""
