"""A run: the plan that is made before a pixel is read, and the steps that run on pixels."""
