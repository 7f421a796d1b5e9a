"""A study done again: its file of steps, the data it expects, and its published figures beside ours."""
