"""The bundled tiny CLIP and the script that trained it."""
