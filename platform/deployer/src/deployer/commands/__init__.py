"""One function a verb, callable from Python; each does what the command line says."""
