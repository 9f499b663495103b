"""Match-ups of in-situ points and scenes, and the reasons for every pair that was not used."""
