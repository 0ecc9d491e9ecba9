"""How an older database becomes one of this version. Loaded only when there is something to do."""
