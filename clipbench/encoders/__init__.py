"""Models that turn strings and images into vectors, behind one small protocol."""
