"""The written report: one page that loads nothing and runs nothing."""
