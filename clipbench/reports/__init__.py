"""Store to tables, figures and pages. Computes no metric anew."""
