"""Tables as LaTeX that stands in a paper as it is: one column wide, a short caption, its notes beneath."""
