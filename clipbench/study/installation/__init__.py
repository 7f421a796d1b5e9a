"""Whether this installation is fit for work."""
