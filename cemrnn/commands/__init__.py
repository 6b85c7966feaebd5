"""The commands of `cemrnn` that are more than a few lines, one module each."""
