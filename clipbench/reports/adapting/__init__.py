"""Tables of adapters: what is stored, and how one was trained."""
