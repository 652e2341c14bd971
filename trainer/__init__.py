"""The workstation side: trains, measures and exports encoders."""
