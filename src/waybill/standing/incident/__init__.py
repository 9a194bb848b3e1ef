"""Incidents found in what attempts come to: counted by site and minute, judged by what differs from the usual and from the rest."""
