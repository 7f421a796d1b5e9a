"""What a search found, as tables, sheets and pages."""
