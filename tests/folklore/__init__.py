"""What people say about mixed precision and execution refutes. docs/folklore.md is generated from these tests."""
