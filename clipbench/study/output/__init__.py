"""Files for the user: written whole or not at all, pages that hold all they need."""
