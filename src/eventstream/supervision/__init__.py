"""Several processes of one program: started, watched, replaced, stopped together."""
