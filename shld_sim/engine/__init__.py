"""The compiled core: streams, variates, elementary functions, ensemble and exit kernels. No validation, no I/O, no objects."""
