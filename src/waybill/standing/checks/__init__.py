"""Whether a sending domain is set up so that receivers take its mail: one small module for each subject."""
