"""Match-ups of in-situ points and scenes, and the reasons why other pairs were not used."""
