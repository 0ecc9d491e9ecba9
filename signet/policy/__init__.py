"""What an agent may reach, run and use: the document, its canonical form, and the pure decisions made from it."""
