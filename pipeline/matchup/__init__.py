"""In-situ points x scenes -> tables of match-ups and of what was not used, with the reasons."""
