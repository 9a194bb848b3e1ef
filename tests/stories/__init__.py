"""Whole stories: a message goes out over real SMTP, meets its fate, and the explanation must say what an expert would."""
