"""The commands, a module each: parse, call, print. Nothing heavy is imported at their tops."""
