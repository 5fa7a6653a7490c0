"""What mixed precision gains a training step: time and memory of each precision, and where the time could go.

A target is a function that builds a model (`module:build`), measured in one process with the arms in turn, or a script,
run whole in a process for each arm and pass. What a device cannot show is said to be not measured, with the reason.
"""
